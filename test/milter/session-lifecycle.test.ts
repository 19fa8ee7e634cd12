import { describe, expect, test } from "bun:test";
import { MilterError } from "../../src/milter/milter-error.ts";
import { type CommandKind, inMessage, nextState } from "../../src/milter/transitions.ts";
import { type Conversation, converse, say, script } from "./conversation.ts";
import { joined, thrownBy, uint32, wire } from "./wire-bytes.ts";

/** A way into every state. */
const WAYS: readonly string[] = [
  "",
  "O",
  "OC",
  "OCH",
  "OCHM",
  "OCHMR",
  "OCHMRT",
  "OCHMRTL",
  "OCHMRTLN",
  "OCHMRTLNB",
  "OCHMRTLNBE",
];
const LETTERS: readonly (readonly [string, CommandKind])[] = [
  ["O", "negotiate"],
  ["C", "connect"],
  ["H", "helo"],
  ["M", "mail"],
  ["R", "rcpt"],
  ["T", "data"],
  ["L", "header"],
  ["N", "endOfHeaders"],
  ["B", "body"],
  ["E", "endOfBody"],
  ["U", "unknown"],
  ["A", "abort"],
  ["D", "macro"],
  ["Q", "quit"],
  ["K", "quitNewConnexion"],
];

function led(way: string): Conversation {
  const talk = converse();
  talk.tell(script(way));
  talk.calls.length = 0;
  return talk;
}

function expectDead(talk: Conversation): void {
  const { length } = talk.calls;
  const closes = talk.closed.length;
  expect(talk.tell(script("OCMRNE"))).toBe("");
  talk.session.finish([], { kind: "accept" });
  talk.session.progress();
  talk.session.lost();
  expect(talk.replies()).toBe("");
  expect(talk.calls).toHaveLength(length);
  expect(talk.closed).toHaveLength(closes);
}

describe.each(WAYS)("after '%s'", (way) => {
  const state = led(way).session.state;
  const within = inMessage(state);

  test("what is legal is taken, what is not closes the connexion", () => {
    for (const [letter, kind] of LETTERS) {
      const talk = led(way);
      talk.session.receive(script(letter));
      const illegal = nextState(state, kind) === undefined;
      const closed = illegal ? 1 : kind === "quit" ? 1 : 0;
      expect(`${letter} ${talk.closed.length}`).toBe(`${letter} ${closed}`);
      if (!illegal) continue;
      expect(talk.closed[0]).toMatchObject({
        code: "MILTER_ILLEGAL_TRANSITION",
        message: `${kind} is not allowed in state ${state}`,
      });
      expect(talk.replies()).toBe("");
      expect(talk.calls).toEqual(within ? ["abort", "end"] : ["end"]);
      expectDead(talk);
    }
  });

  test("QUIT ends it without a word", () => {
    const talk = led(way);
    expect(talk.tell(joined(script("Q"), script("MRNE")))).toBe("");
    expect(talk.calls).toEqual(within ? ["abort", "end"] : ["end"]);
    expect(talk.closed).toEqual([null]);
    expectDead(talk);
  });

  test("a lost socket ends it without closing it again", () => {
    const talk = led(way);
    talk.session.lost();
    expect(talk.calls).toEqual(within ? ["abort", "end"] : ["end"]);
    expect(talk.closed).toEqual([]);
    expectDead(talk);
  });

  test.each([
    ["a length of zero", Uint8Array.from(uint32(0)), "MILTER_FRAME_LENGTH"],
    ["a length of no frame", Uint8Array.from(uint32(0xffffffff)), "MILTER_FRAME_LENGTH"],
    ["an unknown letter", wire("Z"), "MILTER_UNKNOWN_COMMAND"],
    ["an SMTP client", Buffer.from("EHLO mx.example\r\n"), "MILTER_FRAME_LENGTH"],
    ["a TLS handshake", Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc), "MILTER_FRAME_LENGTH"],
    ["a broken header", wire("L", "no end"), "MILTER_FRAME_DATA"],
    ["a broken negotiation", wire("O", "abc"), "MILTER_FRAME_DATA"],
  ] as const)("%s closes it with an error", (_name, bytes, code) => {
    const talk = led(way);
    talk.session.receive(bytes);
    expect(talk.closed).toHaveLength(1);
    expect(talk.closed[0]).toBeInstanceOf(MilterError);
    expect(talk.closed[0]?.code).toBe(code);
    expect(talk.calls).toEqual(within ? ["abort", "end"] : ["end"]);
    expectDead(talk);
  });
});

describe.each(WAYS.slice(1))("negotiated, after '%s'", (way) => {
  const within = inMessage(led(way).session.state);

  test("ABORT is not answered, and another message can follow", () => {
    const talk = led(way);
    expect(talk.tell(script("A"))).toBe("");
    expect(talk.calls).toEqual(within ? ["abort"] : []);
    talk.session.progress();
    talk.session.finish([], { kind: "reject" });
    const rest = way === "O" ? "CMRNE" : "MRNE";
    expect(talk.tell(script(rest))).toBe(
      Array(rest.length - 1)
        .fill("continue")
        .join(" "),
    );
    talk.session.finish([], { kind: "accept" });
    expect(talk.replies()).toBe("accept");
    expect(talk.closed).toEqual([]);
  });

  test("QUIT_NC forgets the connexion, and another can follow", () => {
    const talk = led(way);
    talk.tell(say({ kind: "macro", stage: "connect", pairs: [["j", "old"]] }));
    expect(talk.tell(script("K"))).toBe("");
    expect(talk.calls).toEqual(within ? ["abort", "end"] : ["end"]);
    expect(talk.session.macros.get("j")).toBeUndefined();
    expect(talk.tell(script("CHMRNE"))).toBe("continue continue continue continue continue");
    talk.session.finish([], { kind: "accept" });
    expect(talk.replies()).toBe("accept");
    expect(talk.closed).toEqual([]);
  });
});

describe("the moment of closing", () => {
  test("what was answered before the offence is still sent", () => {
    const talk = converse();
    expect(talk.tell(joined(script("OCH"), script("B"), script("M")))).toBe("negotiate continue continue");
    expect(talk.closed).toHaveLength(1);
  });

  test("so is what was answered before QUIT", () => {
    const talk = converse();
    expect(talk.tell(script("OCHQ"))).toBe("negotiate continue continue");
  });

  test("too old an MTA gets no answer", () => {
    const talk = converse();
    talk.tell(say({ kind: "negotiate", version: 1, actions: 0, steps: 0 }));
    expect(talk.closed[0]?.code).toBe("MILTER_NEGOTIATION");
    expect(talk.replies()).toBe("");
  });

  test("a fault of the handler is not taken for one of the peer", () => {
    const talk = converse(
      {},
      {
        mail: () => {
          throw new TypeError("a fault");
        },
      },
    );
    talk.tell(script("OC"));
    expect(thrownBy(() => talk.session.receive(script("M")))).toBeInstanceOf(TypeError);
    expect(talk.closed).toEqual([]);
  });

  test("a MAIL within a message gives the old one up before the new one is told", () => {
    const talk = converse();
    talk.tell(script("OCMRNBM"));
    expect(talk.calls.slice(-2)).toEqual(["abort", "mail <a@b>"]);
  });

  test("lacking actions are told with the agreement", () => {
    const talk = converse({ actions: 0x31 });
    talk.tell(say({ kind: "negotiate", version: 2, actions: 0x01, steps: 0x3f }));
    expect(talk.calls).toEqual(["negotiated 2 1 0 48"]);
  });
});
