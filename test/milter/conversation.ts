import { ALL_ACTIONS, ALL_STEPS } from "../../src/milter/codes.ts";
import { binaryText, type MtaCommand } from "../../src/milter/commands.ts";
import { FrameDecoder } from "../../src/milter/frame.ts";
import type { MilterError } from "../../src/milter/milter-error.ts";
import { decodeReply, encodeCommand, type FilterReply } from "../../src/milter/mta-codec.ts";
import type { Wanted } from "../../src/milter/negotiation.ts";
import type { Verdict } from "../../src/milter/replies.ts";
import { MilterSession, type SessionHandler } from "../../src/milter/session.ts";
import { joined } from "./wire-bytes.ts";

const OFFER = { kind: "negotiate", version: 6, actions: ALL_ACTIONS, steps: ALL_STEPS } as const;

/** What stands for each letter in a script of commands, unless a test needs its own. */
const COMMANDS: Readonly<Record<string, MtaCommand>> = {
  O: OFFER,
  C: { kind: "connect", host: "mx.example", family: "inet", port: 25, address: "192.0.2.1" },
  H: { kind: "helo", name: "helo.example" },
  M: { kind: "mail", sender: "<a@b>", parameters: [] },
  R: { kind: "rcpt", recipient: "<c@d>", parameters: [] },
  T: { kind: "data" },
  L: { kind: "header", name: "Subject", value: " hi" },
  N: { kind: "endOfHeaders" },
  B: { kind: "body", bytes: Buffer.from("text\r\n") },
  E: { kind: "endOfBody", bytes: new Uint8Array(0) },
  U: { kind: "unknown", command: "XYZZY" },
  A: { kind: "abort" },
  D: { kind: "macro", stage: "connect", pairs: [["j", "host.example"]] },
  Q: { kind: "quit" },
  K: { kind: "quitNewConnexion" },
};

/** The commands of a script such as `OCHMRTLNBE`, as bytes. */
export function script(letters: string): Uint8Array {
  return joined(...[...letters].map((letter) => say(COMMANDS[letter] ?? fail(letter))));
}

function fail(letter: string): never {
  throw new Error(`no command has the letter ${letter}`);
}

export function say(...commands: readonly MtaCommand[]): Uint8Array {
  return joined(...commands.map(encodeCommand));
}

/** An offer with some of all steps. */
export function offer(steps: number, actions: number = ALL_ACTIONS): Uint8Array {
  return say({ ...OFFER, actions, steps });
}

/** What the handler answers at each stage; all go on unless told. */
export interface Answers {
  connect?: () => Verdict;
  mail?: () => Verdict;
  rcpt?: () => Verdict;
  endOfHeaders?: () => Verdict;
  body?: () => "continue" | "skip";
  endOfMessage?: (session: MilterSession) => void;
}

/** A session between a handler and a port that only keep what they are told. */
export interface Conversation {
  readonly session: MilterSession;
  /** What the handler was called with, in order. */
  readonly calls: string[];
  /** What was sent, one entry a write. */
  readonly writes: Uint8Array[];
  readonly closed: (MilterError | null)[];
  /** The replies sent since the last question, as {@link replyText} of each. */
  replies(): string;
  /** Hands over bytes and answers the replies they brought. */
  tell(bytes: Uint8Array): string;
}

const GO_ON: Verdict = { kind: "continue" };

export function converse(wanted: Partial<Wanted> = {}, answers: Answers = {}): Conversation {
  const calls: string[] = [];
  const writes: Uint8Array[] = [];
  const closed: (MilterError | null)[] = [];
  let asked = 0;
  const port = {
    send: (bytes: Uint8Array) => void writes.push(bytes),
    close: (error: MilterError | null) => void closed.push(error),
  };
  const session = new MilterSession({ actions: 0x11, steps: 0, macros: {}, ...wanted }, port, (self) =>
    handlerOf(self, calls, answers),
  );
  const replies = (): string => {
    const text = decodeReplies(writes.slice(asked)).map(replyText).join(" ");
    asked = writes.length;
    return text;
  };
  const tell = (bytes: Uint8Array): string => {
    session.receive(bytes);
    return replies();
  };
  return { session, calls, writes, closed, replies, tell };
}

function handlerOf(session: MilterSession, calls: string[], answers: Answers): SessionHandler {
  const note = (...words: readonly unknown[]): void => void calls.push(words.join(" ").trim());
  return {
    negotiated: ({ version, actions, steps }, lacking) =>
      note("negotiated", version, actions.toString(16), steps.toString(16), lacking),
    connect(client) {
      note("connect", client.host, client.family, client.address);
      return answers.connect?.() ?? GO_ON;
    },
    helo: (name) => note("helo", name),
    mail(sender, parameters) {
      note("mail", sender, ...parameters);
      return answers.mail?.() ?? GO_ON;
    },
    rcpt(recipient, parameters) {
      note("rcpt", recipient, ...parameters);
      return answers.rcpt?.() ?? GO_ON;
    },
    header: (name, value) => note("header", `${name}:${value}`),
    endOfHeaders() {
      note("endOfHeaders");
      return answers.endOfHeaders?.() ?? GO_ON;
    },
    body(bytes) {
      note("body", JSON.stringify(binaryText(bytes)));
      return answers.body?.() ?? "continue";
    },
    endOfMessage() {
      note("endOfMessage");
      answers.endOfMessage?.(session);
    },
    abort: () => note("abort"),
    end: () => note("end"),
  };
}

/** The replies in what was written; a broken or unfinished frame is an error. */
export function decodeReplies(writes: readonly Uint8Array[]): FilterReply[] {
  const decoder = new FrameDecoder();
  const replies: FilterReply[] = [];
  for (const bytes of writes) {
    decoder.push(bytes, (frame) => replies.push(decodeReply(frame)) > 0);
    if (decoder.held > 0) throw new Error("a write ended within a frame");
  }
  return replies;
}

/** A reply in a word: its kind, the text of a reply code, the kind of a change. */
function replyText(reply: FilterReply): string {
  if (reply.kind === "replyCode") return `"${reply.text}"`;
  return reply.kind === "modification" ? reply.change.kind : reply.kind;
}
