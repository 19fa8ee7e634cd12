import { Step } from "../../src/milter/codes.ts";
import { MtaConnexion, type MtaMail, type MtaOffer, type MtaOutcome } from "../load/mta-connexion.ts";
import type { Seen } from "./judge.ts";
import type { Chance } from "./random.ts";

/** How a message is handed over. */
export type Manner =
  | "whole"
  /** With pauses between its pieces. */
  | "slow"
  /** Given up with ABORT; the connexion goes on. */
  | "aborted"
  /** The connexion ends in the middle. */
  | "halfSent"
  /** The connexion ends when the answer is due. */
  | "gone";

/** sendmail's own bound for one answer, unless it is told another. Milliseconds. */
export const ANSWER_BOUND = 10_000;
/** sendmail's and Postfix's bound for the answer to the end of a message, progress or not. Milliseconds. */
export const MESSAGE_BOUND = 300_000;

const SLOW_PAUSE = { from: 50, to: 800 };
const MOST_PAUSES = 6;

/** Given up on purpose: told by its class, so that nothing else is taken for it. */
class GivenUp extends Error {
  readonly code = "GIVEN_UP";
}

/** What other MTAs offer: one of version 2, and one that wants every command answered. */
const OTHER_OFFERS: readonly MtaOffer[] = [
  { version: 2, actions: 0x3f, steps: 0x7f },
  { steps: Step.noUnknown },
];

/** A connexion that has said CONNECT and HELO. */
export async function greetedConnexion(socket: string, chance: Chance): Promise<MtaConnexion> {
  const mta = await MtaConnexion.open({ unix: socket });
  mta.patience = ANSWER_BOUND;
  try {
    await mta.negotiate(chance.happens(0.3) ? chance.pick(OTHER_OFFERS) : {});
    await mta.greet();
    return mta;
  } catch (error) {
    mta.close();
    throw error;
  }
}

/**
 * Hands over one message.
 * @returns what the MTA saw, or null when it did not want an answer; the connexion is closed if it cannot be used again
 */
export async function handOver(
  mta: MtaConnexion,
  mail: MtaMail,
  manner: Manner,
  chance: Chance,
): Promise<Seen | null> {
  if (mta.unasked > 0) return { kind: "broken", why: `${mta.unasked} answers that nobody has asked for` };
  try {
    const outcome = await inManner(mta, mail, manner, chance);
    return outcome === null ? null : { kind: "answered", outcome };
  } catch (error) {
    if (error instanceof GivenUp) return null;
    mta.close();
    return seenOf(error);
  }
}

async function inManner(
  mta: MtaConnexion,
  mail: MtaMail,
  manner: Manner,
  chance: Chance,
): Promise<MtaOutcome | null> {
  const size = mail.body?.length ?? 0;
  const end = Math.floor(chance.next() * size);
  let pauses = 0;
  switch (manner) {
    case "whole":
      return mta.mail(mail);
    case "slow":
      return mta.mail(mail, async () => {
        if (pauses++ < MOST_PAUSES) await Bun.sleep(chance.between(SLOW_PAUSE.from, SLOW_PAUSE.to));
      });
    case "aborted":
      return mta.mail(mail, async (sent) => {
        if (sent < end) return;
        mta.send({ kind: "abort" });
        throw new GivenUp();
      });
    case "halfSent":
      return mta.mail(mail, async (sent) => {
        if (sent < end) return;
        mta.close();
        throw new GivenUp();
      });
    case "gone": {
      const answer = mta.mail(mail).catch(() => null);
      await Promise.race([answer, Bun.sleep(chance.between(0, 60))]);
      mta.close();
      await answer;
      return null;
    }
  }
}

/** What a failure of the connexion means to an MTA. */
export function seenOf(error: unknown): Seen {
  const why = error instanceof Error ? error.message : String(error);
  if (why.startsWith("no answer within")) return { kind: "silent", why };
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const gone = /closed|ECONN|EPIPE|ENOENT|Failed to connect/.test(`${why} ${code}`);
  return gone ? { kind: "lost", why } : { kind: "broken", why: `broke the protocol: ${why}` };
}
