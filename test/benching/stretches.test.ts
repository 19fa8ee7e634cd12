import { expect, test } from "bun:test";
import { corpus } from "../../scripts/benching/corpus.ts";
import { mailParts, sessionPart } from "../../scripts/benching/mta-frames.ts";
import { DIGITS, layOut, putNumber } from "../../scripts/benching/stretches.ts";
import { StubSession } from "../../scripts/benching/stub-session.ts";
import { cpuInStat } from "../../scripts/benching/tree.ts";
import { ALL_STEPS, Command, Step } from "../../src/milter/codes.ts";

const NO_MACROS = new Map();
const frame = (text: string, answered: boolean) => ({
  bytes: Buffer.from(text),
  stage: text.charCodeAt(0),
  answered,
});

test("frames without an answer go with those that follow", () => {
  const part = layOut([frame("ab", false), frame("cde", true), frame("f", false)]);
  expect(part.bytes.toString()).toBe("abcdef");
  expect(part.stretches).toEqual([
    { at: 0, length: 5, stage: 99, answered: true },
    { at: 5, length: 1, stage: 102, answered: false },
  ]);
});

test("each message has a number of its own in its queue id and in a header field", () => {
  const [mail] = corpus("2k");
  if (mail === undefined) throw new Error("no mail");
  const { head, places } = mailParts({ steps: 0, macros: NO_MACROS }, mail);
  expect(places).toHaveLength(2);
  putNumber(head.bytes, places, 42);
  const number = "42".padStart(DIGITS, "0");
  expect(head.bytes.toString("latin1")).toContain(`X-Bench-Number\0${number}\0`);
});

test("where everything may go unanswered a message is one stretch that ends with its body", () => {
  const [mail] = corpus("100k");
  if (mail === undefined) throw new Error("no mail");
  const unanswered = 0xff080 | Step.headerLeadingSpace;
  const { tail } = mailParts({ steps: unanswered & ALL_STEPS & ~Step.noUnknown, macros: NO_MACROS }, mail);
  expect(tail.stretches.map(({ stage }) => stage)).toEqual([Command.endOfBody]);
  const all = mailParts({ steps: 0, macros: NO_MACROS }, mail).tail.stretches.map(({ stage }) => stage);
  expect(all.filter((stage) => stage === Command.body)).toHaveLength(2);
});

test("what the filter does without is not sent", () => {
  const part = sessionPart({ steps: Step.noHelo, macros: NO_MACROS }, "192.0.2.1");
  expect(part.stretches.map(({ stage }) => stage)).toEqual([Command.connect]);
});

test("the stand-in for clamd answers streams, descriptors and questions, however they are cut", () => {
  const session = new StubSession();
  const input = Buffer.from(
    "zIDSESSION\0zPING\0zINSTREAM\0\0\0\0\x03abc\0\0\0\0zFILDES\0\0zVERSION\0",
    "latin1",
  );
  let answers = "";
  for (const byte of input) answers += session.take(Uint8Array.of(byte)).answer;
  expect(answers.split("\0").slice(0, 3)).toEqual(["1: PONG", "2: stream: OK", "3: fd[10]: OK"]);
  const once = new StubSession().take(Buffer.from("nFILDES\n\0", "latin1"));
  expect(once).toEqual({ answer: "fd[10]: OK\n", over: true });
});

test("the processor time of children that have ended counts", () => {
  expect(cpuInStat("7 (a b) c) S 1 1 1 0 -1 0 0 0 0 0 100 50 30 20 20 0")).toBe(2);
});
