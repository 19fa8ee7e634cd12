import { ALL_STEPS, MAX_FRAME_DATA } from "../../../src/milter/codes.ts";
import { binaryText } from "../../../src/milter/commands.ts";
import { FrameDecoder } from "../../../src/milter/frame.ts";
import type { MilterError } from "../../../src/milter/milter-error.ts";
import { decodeReply, type FilterReply } from "../../../src/milter/mta-codec.ts";
import type { Modification, Verdict } from "../../../src/milter/replies.ts";
import { MilterSession, type SessionHandler } from "../../../src/milter/session.ts";
import { traceReplies } from "../../../src/milter/trace.ts";
import { readUint32 } from "../../../src/wire/uint32.ts";
import { cuttings, independentOfCuts } from "../pieces.ts";
import { must, size, type Target } from "../target.ts";
import { someConversation, TEXTS } from "./milter-grammar.ts";

const VERDICTS: readonly Verdict[] = [
  { kind: "continue" },
  { kind: "continue" },
  { kind: "continue" },
  { kind: "accept" },
  { kind: "reject" },
  { kind: "tempfail" },
  { kind: "discard" },
  { kind: "reply", code: 550, enhanced: "5.7.1", lines: ["no %s\r\nQUIT"] },
];
const CHANGES: readonly Modification[] = [
  { kind: "addHeader", name: "X-Virus-Status", value: " Clean" },
  { kind: "replaceBody", bytes: new Uint8Array(70_000) },
];

const LENGTH_BYTES = 4;

/** What became of a conversation. */
interface Talk {
  readonly calls: readonly string[];
  readonly replies: readonly FilterReply[];
  readonly closed: readonly string[];
  /** Commands that are answered at the end of a message: verdicts that are due, and given. */
  readonly ends: number;
}

/** A verdict that depends on what was said only, so that every cutting has the same. */
function verdictOn(text: string): Verdict {
  return VERDICTS[Bun.hash.crc32(text) % VERDICTS.length] ?? { kind: "continue" };
}

/**
 * Has a session hear a conversation.
 * @param late whether the verdict at the end of a message comes when all of a piece was heard
 */
function talk(pieces: readonly Uint8Array[], late: boolean): Talk {
  const calls: string[] = [];
  const sent: Uint8Array[] = [];
  const closed: string[] = [];
  let ends = 0;
  const port = {
    send(bytes: Uint8Array) {
      must(closed.length === 0, "something is sent on a connexion that is closed");
      sent.push(bytes.slice());
    },
    close: (error: MilterError | null) => void closed.push(error?.code ?? "quit"),
  };
  const steps = (Bun.hash.crc32(pieces[0] ?? "") & ALL_STEPS) >>> 0;
  const finish = (session: MilterSession): void => {
    session.progress();
    session.finish(ends % 2 === 0 ? CHANGES : [], verdictOn(`end ${ends}`));
    session.finish(CHANGES, { kind: "accept" });
  };
  const session = new MilterSession(
    { actions: 0x1f, steps: late ? steps : 0x400, macros: { connect: ["j", "_"] } },
    port,
    (self) =>
      handlerOf(calls, () => {
        ends++;
        if (!late) finish(self);
      }),
  );
  for (const piece of pieces) {
    session.receive(piece);
    if (late) finish(session);
  }
  const before = calls.length;
  session.lost();
  if (closed.length > 0) must(calls.length === before, "the handler hears of a connexion that is closed");
  must(closed.length <= 1, "a connexion is closed twice");
  return { calls, replies: repliesIn(sent), closed, ends };
}

function handlerOf(calls: string[], onEnd: () => void): SessionHandler {
  const note = (...words: readonly unknown[]): void => void calls.push(words.join(" "));
  const noted = (...words: readonly unknown[]): Verdict => {
    note(...words);
    const verdict = verdictOn(words.join(" "));
    // A message that the handler has decided is over for it; of a recipient that is refused others are left.
    const decides =
      words[0] === "rcpt" ? ["accept", "discard"] : ["accept", "discard", "reject", "tempfail", "reply"];
    if (words[0] !== "connect" && decides.includes(verdict.kind)) note("decided");
    return verdict;
  };
  return {
    negotiated: ({ version, actions, steps }) => note("negotiated", version, actions, steps),
    connect: ({ host, family, port, address }) => noted("connect", host, family, port, address),
    helo: (name) => note("helo", name),
    mail: (sender, parameters) => noted("mail", sender, ...parameters),
    rcpt: (recipient, parameters) => noted("rcpt", recipient, ...parameters),
    header: (name, value) => note("header", name, value),
    endOfHeaders: () => noted("endOfHeaders", calls.length),
    body(bytes) {
      note("body", binaryText(bytes));
      return bytes.length % 3 === 0 ? "skip" : "continue";
    },
    endOfMessage() {
      note("endOfMessage");
      onEnd();
    },
    abort: () => note("abort"),
    end: () => note("end"),
  };
}

/** Every write is whole frames, and each of them is a reply. */
function repliesIn(writes: readonly Uint8Array[]): FilterReply[] {
  return writes.flatMap((bytes) => {
    const decoder = new FrameDecoder();
    const replies: FilterReply[] = [];
    decoder.push(bytes, (frame) => replies.push(decodeReply(frame)) > 0);
    must(decoder.held === 0, "a write ends within a frame");
    for (const text of traceReplies(bytes, 9)) must(text.length < 1300, "a long trace");
    return replies;
  });
}

/** A message begins, and has one end: told to the handler, given up, or the connexion's. */
function mustBePaired(calls: readonly string[]): void {
  let inMessage = false;
  for (const call of calls) {
    const [what] = call.split(" ", 1);
    if (what === "mail") {
      must(!inMessage, "a message begins within another");
      inMessage = true;
    } else if (what === "endOfMessage") {
      must(inMessage, "the end of a message that has not begun");
      inMessage = false;
    } else if (what === "abort" || what === "decided") inMessage = false;
    else if (what === "rcpt" || what === "header" || what === "body")
      must(inMessage, `${what} without a message`);
    else if (what === "end" || what === "connect") must(!inMessage, `${what} within a message`);
  }
}

/** Modifications come with the end of a message only, and one verdict follows them. */
function mustBeOneVerdictEach({ replies, ends }: Talk): number {
  let groups = 0;
  let changing = false;
  for (const reply of replies) {
    if (reply.kind === "modification") {
      if (!changing) groups++;
      changing = true;
    } else {
      must(!changing || reply.kind !== "progress", "progress within the answer to a message");
      changing = false;
    }
  }
  must(!changing, "changes without a verdict");
  must(groups <= ends, "changes that belong to no message");
  return groups;
}

/**
 * The input without the frame at its end that is not whole. A long chunk of a body is judged by its first piece if that
 * is large enough, else when it is whole: what comes of such an end depends on the cuts, and may.
 */
function withoutRest(input: Uint8Array): Uint8Array {
  let at = 0;
  while (input.length - at >= LENGTH_BYTES) {
    const length = readUint32(input, at);
    // The end of all, however it is cut.
    if (length === 0 || length > MAX_FRAME_DATA + 1) return input;
    if (at + LENGTH_BYTES + length > input.length) break;
    at += LENGTH_BYTES + length;
  }
  return input.subarray(0, at);
}

export const SESSION_TARGET: Target = {
  name: "milter-session",
  about: "whole conversations of an MTA: frames, commands, states, answers",
  dictionary: [
    ...TEXTS,
    ...[..."ABDEHKLMNQRTU"].map((letter) => `\0\0\0\x01${letter}`),
    "\0\0\0\x05M<>\0\0",
    "\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff",
    "\0\0\0\x04CxU\0",
  ],
  largest: 70_000,
  generate: someConversation,
  run(input) {
    const heard = independentOfCuts(withoutRest(input), (pieces) => talk(pieces, false));
    mustBePaired(heard.calls);
    const groups = mustBeOneVerdictEach(heard);
    const ways = cuttings(input);
    const later = talk(ways.at(-1) ?? [], true);
    for (const other of [talk(ways[0] ?? [], false), later]) {
      mustBePaired(other.calls);
      mustBeOneVerdictEach(other);
    }
    const kinds = new Set(heard.calls.map((call) => call.split(" ", 1)[0]));
    const answers = new Set(heard.replies.map(({ kind }) => kind));
    return `${[...kinds].sort()} ${[...answers].sort()} ${heard.closed} ${groups} ${size(later.calls.length)}`;
  },
};
