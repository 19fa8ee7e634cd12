import { describe, expect, test } from "bun:test";
import { Step } from "../../src/milter/codes.ts";
import type { Verdict } from "../../src/milter/replies.ts";
import { type Answers, converse, offer, say, script } from "./conversation.ts";
import { deliver, deliveries, joined } from "./wire-bytes.ts";

const ACCEPT: Verdict = { kind: "accept" };
const accepting: Answers = { endOfMessage: (session) => session.finish([], ACCEPT) };

const FULL = "ODCDHDMDRDTLLNBBDE";
const FULL_CALLS = [
  "negotiated 6 11 0 0",
  "connect mx.example inet 192.0.2.1",
  "helo helo.example",
  "mail <a@b>",
  "rcpt <c@d>",
  "header Subject: hi",
  "header Subject: hi",
  "endOfHeaders",
  'body "text\\r\\n"',
  'body "text\\r\\n"',
  "endOfMessage",
];

describe("a whole conversation", () => {
  test("every stage is told to the handler and answered once", () => {
    const talk = converse({}, accepting);
    const answers = [...FULL].map((letter) => `${letter}:${talk.tell(script(letter))}`);
    expect(answers.filter((answer) => !answer.startsWith("D:"))).toEqual([
      "O:negotiate",
      ..."CHMRTLLNBB".split("").map((letter) => `${letter}:continue`),
      "E:accept",
    ]);
    expect(answers.filter((answer) => answer.startsWith("D:") && answer !== "D:")).toEqual([]);
    expect(talk.calls).toEqual(FULL_CALLS);
    expect(talk.session.state).toBe("greeted");
    expect(talk.closed).toEqual([]);
  });

  test("however it is cut", () => {
    const bytes = joined(script(FULL), script("MRNE"), script("Q"));
    for (const pieces of deliveries(bytes)) {
      const talk = converse({}, accepting);
      deliver(pieces, (piece) => talk.session.receive(piece));
      expect(talk.replies()).toBe(
        `negotiate ${"continue ".repeat(10)}accept continue continue continue accept`,
      );
      expect(talk.calls).toEqual([
        ...FULL_CALLS,
        "mail <a@b>",
        "rcpt <c@d>",
        "endOfHeaders",
        "endOfMessage",
        "end",
      ]);
      expect(talk.closed).toEqual([null]);
    }
  });

  test("what comes in one piece is answered in one", () => {
    const talk = converse({}, accepting);
    talk.session.receive(script(FULL));
    expect(talk.writes).toHaveLength(1);
  });

  test("modifications and verdict leave in one piece, in order", () => {
    const talk = converse();
    talk.tell(script("OCHMRNE"));
    const before = talk.writes.length;
    talk.session.finish(
      [
        { kind: "changeHeader", index: 1, name: "X", value: "" },
        { kind: "addHeader", name: "X", value: "y" },
      ],
      ACCEPT,
    );
    expect(talk.writes).toHaveLength(before + 1);
    expect(talk.replies()).toBe("changeHeader addHeader accept");
  });

  test("macros are there when the command they belong to is told", () => {
    const seen: (string | undefined)[] = [];
    const talk = converse(
      {},
      {
        mail: () => {
          seen.push(talk.session.macros.get("{i}"));
          return { kind: "continue" };
        },
      },
    );
    const macro = (value: string): Uint8Array => say({ kind: "macro", stage: "mail", pairs: [["i", value]] });
    talk.tell(joined(script("OCH"), macro("Q1"), script("MRNE")));
    talk.session.finish([], ACCEPT);
    expect(talk.session.macros.get("i")).toBeUndefined();
    talk.tell(joined(macro("Q2"), script("MA"), script("M")));
    expect(seen).toEqual(["Q1", "Q2", undefined]);
  });
});

const NO_REPLY: readonly (readonly [letter: string, step: number])[] = [
  ["C", Step.noReplyConnect],
  ["H", Step.noReplyHelo],
  ["M", Step.noReplyMail],
  ["R", Step.noReplyRcpt],
  ["T", Step.noReplyData],
  ["U", Step.noReplyUnknown],
  ["L", Step.noReplyHeader],
  ["N", Step.noReplyEndOfHeaders],
  ["B", Step.noReplyBody],
];

describe("replies that were agreed away", () => {
  test("every subset of them: the others are given, these never", () => {
    for (let subset = 0; subset < 2 ** NO_REPLY.length; subset++) {
      const silent = NO_REPLY.filter((_, at) => (subset & (1 << at)) !== 0);
      const steps = silent.reduce((sum, [, step]) => sum | step, 0);
      const talk = converse({ steps }, accepting);
      const due = [..."OCUHMRTLNBBE"].filter((letter) => !silent.some(([quiet]) => quiet === letter));
      const words = due.map((letter) => ({ O: "negotiate", E: "accept" })[letter] ?? "continue");
      expect(talk.tell(script("OCUHMRTLNBBE"))).toBe(words.join(" "));
    }
  });

  test("what was not offered is answered", () => {
    const all = NO_REPLY.reduce((sum, [, step]) => sum | step, 0);
    for (const [letter, step] of NO_REPLY) {
      const talk = converse({ steps: all }, accepting);
      talk.session.receive(joined(offer(all & ~step), script("CUHMRTLNB")));
      expect(`${letter}: ${talk.replies()}`).toBe(`${letter}: negotiate continue`);
    }
  });

  test("an early refusal without a reply still refuses the message at its end", () => {
    const reject: Answers = { endOfHeaders: () => ({ kind: "reject" }) };
    const talk = converse({ steps: Step.noReplyEndOfHeaders | Step.noReplyBody }, reject);
    expect(talk.tell(script("OCMRLNBE"))).toBe("negotiate continue continue continue continue reject");
    expect(talk.calls).not.toContain("endOfMessage");
  });
});

describe("a body chunk that comes in pieces", () => {
  const chunk = say({ kind: "body", bytes: Buffer.alloc(60_000, "x") });

  test("is handed on as it comes, and answered once", () => {
    const talk = converse({}, accepting);
    talk.tell(script("OCMRN"));
    expect(talk.tell(chunk.subarray(0, 10_000))).toBe("");
    expect(talk.calls.at(-1)).toStartWith("body");
    expect(talk.tell(chunk.subarray(10_000, 30_000))).toBe("");
    expect(talk.tell(joined(chunk.subarray(30_000), script("E")))).toBe("continue accept");
    const seen = talk.calls
      .filter((call) => call.startsWith("body"))
      .map((call) => call.split("x").length - 1);
    expect(seen).toEqual([10_000 - 5, 20_000, 30_005]);
  });

  test("is handed on to its end, whatever is skipped after it", () => {
    const talk = converse({ steps: Step.skip }, { ...accepting, body: () => "skip" });
    talk.tell(script("OCMRN"));
    for (const at of [0, 20_000, 40_000]) talk.tell(chunk.subarray(at, at + 20_000));
    expect(talk.tell(joined(chunk.subarray(60_000), chunk, script("E")))).toBe("skip skip accept");
    const seen = talk.calls
      .filter((call) => call.startsWith("body"))
      .map((call) => call.split("x").length - 1);
    expect(seen.reduce((sum, count) => sum + count, 0)).toBe(60_000);
  });

  test("and is cut short by the end of the connexion ends the message", () => {
    const talk = converse({}, accepting);
    talk.tell(script("OCMRN"));
    talk.tell(chunk.subarray(0, 10_000));
    talk.session.lost();
    expect(talk.calls.slice(-2)).toEqual(["abort", "end"]);
  });

  test("is not allowed where no chunk is", () => {
    const talk = converse({}, accepting);
    talk.tell(script("OCM"));
    talk.tell(chunk.subarray(0, 10_000));
    expect(talk.closed).toMatchObject([{ code: "MILTER_ILLEGAL_TRANSITION" }]);
  });
});

describe("SKIP", () => {
  const skipping: Answers = { ...accepting, body: () => "skip" };

  test("is told to every further chunk, and nothing more is handed on", () => {
    const talk = converse({ steps: Step.skip }, skipping);
    expect(talk.tell(script("OCMRNBBB"))).toEndWith("skip skip skip");
    talk.tell(say({ kind: "endOfBody", bytes: Buffer.from("rest") }));
    expect(talk.calls.filter((call) => call.startsWith("body"))).toHaveLength(1);
    expect(talk.calls).toContain("endOfMessage");
  });

  test.each(["E", "A", "KC", ""])("holds for one message, ended by '%s'", (end) => {
    let enough = true;
    const talk = converse({ steps: Step.skip }, { ...accepting, body: () => (enough ? "skip" : "continue") });
    expect(talk.tell(script("OCMRNBB"))).toEndWith("skip skip");
    enough = false;
    talk.tell(script(`${end}MRN`));
    expect(talk.tell(script("BB"))).toBe("continue continue");
    expect(talk.calls.slice(-2)).toEqual(['body "text\\r\\n"', 'body "text\\r\\n"']);
  });

  test("is not said where it was not offered", () => {
    const talk = converse({ steps: Step.skip }, skipping);
    talk.session.receive(joined(offer(0x3ff), script("CMRNBB")));
    expect(talk.replies()).not.toContain("skip");
    expect(talk.calls.filter((call) => call.startsWith("body"))).toHaveLength(2);
  });

  test("is not said where a body is not answered", () => {
    const talk = converse({ steps: Step.skip | Step.noReplyBody }, skipping);
    expect(talk.tell(script("OCMRNBBE"))).toBe("negotiate continue continue continue continue accept");
  });
});

describe("the end of the body", () => {
  test("may carry the last chunk", () => {
    const talk = converse({}, accepting);
    talk.tell(script("OCMRN"));
    expect(talk.tell(say({ kind: "endOfBody", bytes: Buffer.from("last") }))).toBe("accept");
    expect(talk.calls.slice(-2)).toEqual(['body "last"', "endOfMessage"]);
  });

  test("with a last chunk that needs no more is still answered once", () => {
    const talk = converse({ steps: Step.skip }, { ...accepting, body: () => "skip" });
    talk.tell(script("OCMRN"));
    expect(talk.tell(say({ kind: "endOfBody", bytes: Buffer.from("last") }))).toBe("accept");
  });

  test("may come right after the recipients", () => {
    const talk = converse({}, accepting);
    expect(talk.tell(script("OCMRE"))).toEndWith("accept");
  });
});
