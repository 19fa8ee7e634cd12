import { ClamdError } from "../../../src/clamd/clamd-error.ts";
import { MAX_REPLY_BYTES, parseNumbered, parseScanReply, ReplyDecoder } from "../../../src/clamd/reply.ts";
import { ClamdSession } from "../../../src/clamd/session.ts";
import type { Chance } from "../chance.ts";
import { chanceOf, independentOfCuts } from "../pieces.ts";
import { BETWEEN, binary, bytesOf, must, type Target } from "../target.ts";

const WORDS: readonly string[] = [
  "stream: OK",
  "fd[7]: OK",
  "stream: Win.Test.EICAR_HDB-1 FOUND",
  "stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND",
  "INSTREAM size limit exceeded. ERROR",
  "COMMAND READ TIMED OUT",
  "PONG",
  "ClamAV 1.4.6/27000/Sun Nov 22 09:00:00 2026",
  "UNKNOWN COMMAND",
  "stream: ",
  " FOUND",
  " ERROR",
  "OK",
];

function someReplies(chance: Chance): string {
  const reply = (): string => {
    const text = chance.happens(0.9) ? chance.pick(WORDS) : chance.text("stream: OKFUND\n\r\xff[]", 40);
    const id = chance.pick(["1: ", "1: ", "2: ", "3: ", "", "01: ", "99999999999: ", "-1: "]);
    return `${id}${text}${chance.pick(["\0", "\0", "\0", "\n", ""])}`;
  };
  return chance.several(6, reply).join("");
}

interface Decoded {
  readonly replies: readonly string[];
  readonly code: string;
}

function decoded(pieces: readonly Uint8Array[]): Decoded {
  const decoder = new ReplyDecoder();
  const replies: string[] = [];
  try {
    for (const piece of pieces) {
      for (const reply of decoder.push(piece)) replies.push(reply);
      must(decoder.held <= MAX_REPLY_BYTES, `${decoder.held} characters of a reply are held`);
    }
  } catch (error) {
    if (!(error instanceof ClamdError)) throw error;
    // What came before in one piece is lost then.
    return { replies: [], code: error.code };
  }
  return { replies, code: "" };
}

const replies: Target = {
  name: "clamd-replies",
  about: "what a clamd sends, cut into replies, and what they say",
  dictionary: [...WORDS, "\0", "1: ", "fd[1]: "],
  largest: 140_000,
  generate: (chance) => bytesOf(someReplies(chance)),
  run(input) {
    const { replies: found, code } = independentOfCuts(input, decoded);
    const kinds = new Set<string>();
    for (const reply of found) {
      must(reply !== "" && !/[\0\n]/.test(reply), "a reply has its end in it");
      const { text } = parseNumbered(reply);
      for (const passed of [false, true]) kinds.add(kindOf(text, passed));
    }
    return `${found.length < 4 ? found.length : "many"} ${[...kinds].sort()} ${code}`;
  },
};

function kindOf(text: string, passed: boolean): string {
  const said = parseScanReply(text, passed);
  // A descriptor's number is an int.
  const clean = passed ? /^fd\[\d{1,10}\]: OK$/.test(text) : text === "stream: OK";
  must((said.kind === "clean") === clean, "clean is not what clamd calls clean");
  if (said.kind === "infected") must(text.endsWith(`${said.name} FOUND`), "a name that clamd has not said");
  return said.kind;
}

/** What a session asks for, one letter each. */
type Ask = "ping" | "version" | "stream" | "pass";

/** A session with a clamd that says anything at any time: each piece of the input comes after a question. */
const session: Target = {
  name: "clamd-session",
  about: "one session with a clamd that answers whatever it likes",
  dictionary: [...WORDS, "\0", "1: ", "2: ", BETWEEN],
  largest: 70_000,
  generate: (chance) => bytesOf(Array.from({ length: 4 }, () => someReplies(chance)).join(BETWEEN)),
  async run(input) {
    const chance = chanceOf(input);
    const asks: Ask[] = chance.several(4, () => chance.pick(["ping", "version", "stream", "pass"] as const));
    const heard = binary(input).split(BETWEEN);
    const wire = portTaking(chance);
    let ends = 0;
    const talk = new ClamdSession(wire.port, () => void ends++);
    const outcomes: Promise<string>[] = [];
    let said = "";
    for (const [at, piece] of heard.slice(0, 40).entries()) {
      const ask = asks[at];
      if (ask !== undefined) outcomes.push(asked(talk, ask, () => said));
      if (chance.happens(0.5)) wire.open();
      talk.writable();
      if (!talk.ended) said += piece;
      talk.receive(bytesOf(piece));
      await Promise.resolve();
    }
    const broken = talk.ended;
    talk.quit();
    const words = await Promise.all(outcomes);
    must(ends === 1, `the end of a session is told ${ends} times`);
    must(wire.closed() === 1, "a connexion is not closed once");
    return `${asks} ${words} ${broken}`;
  },
};

function portTaking(chance: Chance) {
  let room = chance.below(40);
  let closed = 0;
  return {
    open: () => {
      room = chance.below(400);
    },
    closed: () => closed,
    port: {
      write(bytes: Uint8Array) {
        const taken = Math.min(room, bytes.length);
        room -= taken;
        return taken;
      },
      pass: () => {
        if (chance.happens(0.1)) throw new Error("EAGAIN");
      },
      gone: () => false,
      close: () => void closed++,
    },
  };
}

/** The kind of the answer, or the code of the error that came instead. */
async function asked(talk: ClamdSession, ask: Ask, said: () => string): Promise<string> {
  try {
    if (ask === "ping") {
      await talk.ping();
      return "pong";
    }
    if (ask === "version") return `version ${(await talk.version()).startsWith("ClamAV")}`;
    const reply = await talk.scan(
      {
        size: 20,
        pieces: () => [bytesOf("From: a\r\n"), bytesOf("\r\nb\r\n")].values(),
        descriptor: () => 9,
      },
      ask === "pass",
    );
    if (reply.kind === "clean") {
      const number = /(^|[\0\n])\d+: ?(stream|fd\[\d+\]): OK[\0\n]/;
      must(number.test(said()), "clean, though clamd has not said so");
    }
    return reply.kind;
  } catch (error) {
    if (error instanceof ClamdError) return error.code;
    throw error;
  }
}

export const CLAMD_TARGETS: readonly Target[] = [replies, session];
