import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ALL_STEPS, Step } from "../../src/milter/codes.ts";
import { MilterError } from "../../src/milter/milter-error.ts";
import type { Verdict } from "../../src/milter/replies.ts";
import { type CommandKind, inMessage, nextState, type State } from "../../src/milter/transitions.ts";
import { type Conversation, converse, offer, script } from "./conversation.ts";
import { joined } from "./wire-bytes.ts";

const KINDS: Readonly<Record<string, CommandKind>> = {
  C: "connect",
  H: "helo",
  M: "mail",
  R: "rcpt",
  T: "data",
  L: "header",
  N: "endOfHeaders",
  B: "body",
  E: "endOfBody",
  U: "unknown",
  A: "abort",
  D: "macro",
  K: "quitNewConnexion",
};
const SILENCE: Readonly<Record<string, number>> = {
  C: Step.noReplyConnect,
  H: Step.noReplyHelo,
  M: Step.noReplyMail,
  R: Step.noReplyRcpt,
  T: Step.noReplyData,
  U: Step.noReplyUnknown,
  L: Step.noReplyHeader,
  N: Step.noReplyEndOfHeaders,
  B: Step.noReplyBody,
};

/** What the MTA may expect, kept apart from the code under test: sticky verdicts and replies due. */
class Model {
  state: State = "negotiated";
  connexion = "continue";
  message = "continue";
  readonly #steps: number;

  constructor(steps: number) {
    this.#steps = steps;
  }

  /** The replies due to a legal command that the handler answers with `said`; "" while the verdict is due. */
  after(letter: string, said: string): string {
    this.state = nextState(this.state, KINDS[letter] as CommandKind) ?? "start";
    if (letter === "A") this.message = "continue";
    if (letter === "K") [this.connexion, this.message] = ["continue", "continue"];
    if ("AKD".includes(letter)) return "";
    if (letter === "E") return this.#atEnd();
    const reply = this.#reply(letter, said);
    return (this.#steps & (SILENCE[letter] ?? 0)) === 0 ? reply : "";
  }

  #reply(letter: string, said: string): string {
    if (letter === "C") this.connexion = said;
    if (this.connexion !== "continue") return this.connexion;
    if (letter === "M") this.message = said;
    else if (inMessage(this.state) && this.message !== "continue") return this.message;
    else if (letter === "N") this.message = said;
    else if (letter === "R" && (said === "accept" || said === "discard")) this.message = said;
    return "CMRN".includes(letter) ? said : "continue";
  }

  #atEnd(): string {
    const early = this.connexion !== "continue" ? this.connexion : this.message;
    return early === "continue" ? "" : this.finished(early);
  }

  finished(verdict: string): string {
    this.state = "greeted";
    this.message = "continue";
    return verdict;
  }
}

const verdict = fc.constantFrom<Verdict["kind"]>(
  ...(["continue", "continue", "continue", "accept", "reject", "tempfail", "discard"] as const),
);
/** A command, what the handler says of it, and whether a verdict that is due is given before it. */
const step = fc.record({
  letter: fc.constantFrom(..."CHMMMRRRTLLNNBBEEEUADK"),
  said: verdict,
  settle: fc.integer({ min: 0, max: 3 }).map((number) => number > 0),
});

describe("random legal conversations", () => {
  test("each command that is due an answer gets exactly the one that is due", () => {
    const masks = fc.integer({ min: 0, max: ALL_STEPS }).map((mask) => mask & ~Step.skip);
    fc.assert(
      fc.property(masks, fc.array(step, { maxLength: 60 }), (steps, list) => {
        const model = new Model(steps);
        let says: Verdict = { kind: "continue" };
        const answer = (): Verdict => says;
        const talk = converse(
          { steps: ALL_STEPS },
          { connect: answer, mail: answer, rcpt: answer, endOfHeaders: answer },
        );
        talk.tell(joined(offer(steps === 0 ? 0x40 : steps)));
        for (const { letter, said, settle } of list) {
          if (model.state === "verdictDue" && settle) {
            talk.session.finish([], { kind: said } as Verdict);
            expect(talk.replies()).toBe(model.finished(said));
          }
          if (nextState(model.state, KINDS[letter] as CommandKind) === undefined) continue;
          says = { kind: said } as Verdict;
          const due = model.after(letter, said);
          expect(`${letter}: ${talk.tell(script(letter))}`).toBe(`${letter}: ${due}`);
          expect(talk.session.state).toBe(model.state);
        }
        expect(talk.closed).toEqual([]);
        expectPaired(talk);
      }),
      { numRuns: 1500 },
    );
  });
});

/** The handler is told of the end of a message only if it was told of its beginning, and not given it up. */
function expectPaired(talk: Conversation): void {
  let open = false;
  for (const call of talk.calls) {
    if (call === "endOfMessage") expect(open).toBe(true);
    if (call.startsWith("mail")) open = true;
    else if (call === "abort" || call === "end" || call === "endOfMessage") open = false;
  }
}

/** A conversation as bytes, then cut and damaged. */
const damaged = fc
  .tuple(
    fc.array(fc.constantFrom(..."OCHMRTLNBEUADKQ"), { maxLength: 12 }).map((letters) => letters.join("")),
    fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }), fc.constantFrom("set", "cut", "add")), {
      maxLength: 4,
    }),
    fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 10 }),
  )
  .map(([letters, damages, cuts]) => {
    let bytes = script(`OCHMRN${letters}`);
    for (const [where, value, how] of damages) {
      const at = where % (bytes.length + 1);
      const rest = bytes.subarray(how === "add" ? at : at + 1);
      bytes = joined(bytes.subarray(0, at), how === "cut" ? [] : [value], rest);
    }
    return pieces(bytes, cuts);
  });

function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const cut of cuts) {
    parts.push(bytes.slice(at, at + cut));
    at += cut;
  }
  return [...parts, bytes.slice(at)];
}

/** What must hold whatever comes: nothing is thrown, one end at most, and silence after it. */
function expectContained(chunks: readonly Uint8Array[]): void {
  const talk = converse(
    { steps: Step.skip | Step.noReplyHeader },
    { endOfMessage: (session) => session.finish([], { kind: "accept" }), body: () => "skip" },
  );
  for (const chunk of chunks) {
    const dead = talk.closed.length;
    const calls = talk.calls.length;
    const answers = talk.tell(chunk);
    if (dead > 0) expect([answers, talk.calls.length]).toEqual(["", calls]);
  }
  talk.session.progress();
  talk.session.finish([], { kind: "accept" });
  expect(talk.closed.length).toBeLessThanOrEqual(1);
  if (talk.closed.length === 1) expect(talk.replies()).toBe("");
  for (const error of talk.closed) expect(error === null || error instanceof MilterError).toBe(true);
  expect(talk.calls.filter((call) => call === "abort").length).toBeLessThanOrEqual(
    talk.calls.filter((call) => call.startsWith("mail")).length,
  );
  talk.session.lost();
  expect(talk.calls.at(-1)).toBe("end");
}

describe("whatever comes", () => {
  test("random bytes", () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 });
    fc.assert(fc.property(chunks, expectContained), { numRuns: 1500 });
  });

  test("random frames", () => {
    const frame = fc
      .tuple(fc.constantFrom(..."OCHMRTLNBEUADKQZ\0"), fc.uint8Array({ maxLength: 40 }))
      .map(([letter, data]) => joined([0, 0, 0, data.length + 1], letter, data));
    fc.assert(fc.property(fc.array(frame, { maxLength: 12 }), expectContained), { numRuns: 1500 });
  });

  test("damaged conversations", () => {
    fc.assert(fc.property(damaged, expectContained), { numRuns: 1500 });
  });
});
