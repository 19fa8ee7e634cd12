import {
  bounded,
  boundedMacros,
  type KeepOrder,
  type MailTexts,
  withinBounds,
} from "../ipc/notice-messages.ts";
import type { Log } from "../log/log.ts";
import type { Modification } from "../milter/replies.ts";
import type { ClientFacts } from "../milter/session.ts";
import { canonicalAddress } from "../policy/networks.ts";
import { authorOf } from "../response/author.ts";
import { needsSpf, planResponse, planUnstored } from "../response/plan.ts";
import type { MessageFacts, ResponsePlan, ResponseRules } from "../response/rules.ts";
import type { ScanVerdict } from "../scan/verdict.ts";
import { signMessage } from "../signature/sign-message.ts";
import { FRONT_LENGTH, type Message } from "./message.ts";

/** What is done for a message outside of the jail. */
export interface MailDesk {
  /** @throws Error when it is not sure that all is kept */
  keep(order: KeepOrder, message: number | null): Promise<string>;
  /** @throws Error when it cannot be told */
  checkSpf(address: string, sender: string, helo: string): Promise<string>;
  /** @throws Error when it cannot be told */
  isOwn(code: string, messageId: string, recipients: readonly string[]): Promise<boolean>;
  /** What is known of the files that mail is made from; waits a little at the beginning. */
  texts(): Promise<MailTexts>;
  /** The macros that the template of notices names. */
  readonly macros: readonly string[];
  /** Whether notices may show the header of the message. */
  readonly wantsHeaders: boolean;
}

/** A message whose verdict is known, and all that the answer depends on. */
export interface Judged {
  readonly message: Message;
  readonly scan: ScanVerdict;
  readonly rules: ResponseRules;
  /** As far as they are known without asking anybody. */
  readonly facts: MessageFacts;
  readonly client: ClientFacts;
  readonly helo: string;
  readonly queueId: string;
  readonly macro: (name: string) => string | undefined;
  readonly broadcast: boolean;
  /** Whether nobody is to be told by mail. */
  readonly silent: boolean;
  readonly desk: MailDesk;
  readonly log: Log;
}

/** What the MTA is answered. */
export interface Conclusion {
  readonly plan: ResponsePlan;
  readonly modifications: readonly Modification[];
}

/** The conclusion when nobody has to be asked and nothing to be kept, as with most mail; else null. */
export function quickConclusion(judged: Judged): Conclusion | null {
  const { scan, rules, facts, broadcast } = judged;
  if (needsSpf(scan, rules)) return null;
  const plan = planOf(judged, facts);
  if (plan.sign || needsKeeping(plan, broadcast)) return null;
  return { plan, modifications: plan.modifications };
}

/** The conclusion, with everything on the disk that has to be there before the answer. */
export async function slowConclusion(judged: Judged): Promise<Conclusion> {
  const { scan, rules, facts, broadcast, queueId, log } = judged;
  const spfPass = needsSpf(scan, rules) && (await passesSpf(judged));
  const plan = planOf(judged, { ...facts, spfPass });
  if (plan.sign) return { plan, modifications: [...plan.modifications, ...(await signature(judged))] };
  if (!needsKeeping(plan, broadcast)) return { plan, modifications: plan.modifications };
  try {
    await judged.desk.keep(
      orderOf(judged, plan),
      needsMessage(judged, plan) ? judged.message.spool.descriptor() : null,
    );
    return { plan, modifications: plan.modifications };
  } catch (error) {
    // Without its copy, or the certainty that somebody hears of it, the message must come again.
    const reason = error instanceof Error ? error.message : String(error);
    log("error", `${queueId}: deferred, for what must be kept of it cannot be kept: ${reason}`);
    const deferred = planUnstored();
    return { plan: deferred, modifications: deferred.modifications };
  }
}

function planOf({ scan, rules, silent }: Judged, facts: MessageFacts): ResponsePlan {
  const plan = planResponse(scan, rules, facts);
  return silent ? { ...plan, notice: null, reports: [] } : plan;
}

function needsKeeping(plan: ResponsePlan, broadcast: boolean): boolean {
  return plan.keep || plan.notice !== null || plan.reports.length > 0 || (plan.alarm && broadcast);
}

/** Notices may show the header: the keeper knows whether. */
function needsMessage({ desk }: Judged, plan: ResponsePlan): boolean {
  return plan.keep || plan.reports.length > 0 || (plan.notice !== null && desk.wantsHeaders);
}

async function passesSpf({ message, client, helo, desk, log, queueId }: Judged): Promise<boolean> {
  const author = authorOf(message.authors);
  const address = canonicalAddress(client.family, client.address);
  if (author === null || address === "") return false;
  try {
    const result = await desk.checkSpf(address, bounded(author), bounded(helo));
    log("verbose", `${queueId}: SPF of ${author} for ${address}: ${result}`);
    return result === "pass";
  } catch (error) {
    log("warning", `${queueId}: SPF cannot be asked: ${error instanceof Error ? error.message : error}`);
    return false;
  }
}

function orderOf(judged: Judged, plan: ResponsePlan): KeepOrder {
  const { message, scan, client, queueId, macro, desk, broadcast } = judged;
  const macros = desk.macros.flatMap((name): [string, string][] => {
    const value = macro(name);
    return value === undefined ? [] : [[name, value]];
  });
  return {
    queueId: bounded(queueId),
    sender: bounded(message.sender),
    recipients: withinBounds(message.recipients),
    recipientCount: message.recipientCount,
    names: withinBounds(scan.kind === "infected" ? scan.names : []),
    clientHost: bounded(client.host),
    clientAddress: bounded(client.address),
    clientWords: bounded(macro("_") ?? ""),
    origin: bounded(message.origin),
    mtaHost: bounded(macro("j") ?? ""),
    macros: boundedMacros(Object.fromEntries(macros)),
    notice: plan.notice,
    reports: plan.reports,
    store: plan.keep,
    broadcast: plan.alarm && broadcast,
    size: message.size,
    skip: FRONT_LENGTH,
    added: withinBounds(
      plan.modifications.flatMap((change) =>
        change.kind === "addHeader" ? [`${change.name}: ${change.value.trimStart()}`] : [],
      ),
    ),
  };
}

/** The body with the signature, if it can have one. */
async function signature({ message, desk, log, queueId }: Judged): Promise<Modification[]> {
  const { signature: text } = await desk.texts();
  const unsigned = (why: string): Modification[] => {
    log("verbose", `${queueId}: gets no signature: ${why}`);
    return [];
  };
  if (text === null) return unsigned("its text is not known");
  if (message.size > LARGEST_SIGNED) return unsigned(`it has more than ${LARGEST_SIGNED} bytes`);
  const signed = signMessage(Buffer.concat([...message.spool.pieces()]).subarray(FRONT_LENGTH), text);
  return signed.kind === "signed" ? [{ kind: "replaceBody", bytes: signed.body }] : unsigned(signed.reason);
}

/** Bytes of a message whose body is replaced: all of it is in memory then. */
const LARGEST_SIGNED = 16 * 1024 * 1024;
