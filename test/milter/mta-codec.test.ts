import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { binaryText, decodeCommand, type MtaCommand, STAGES } from "../../src/milter/commands.ts";
import { MilterError } from "../../src/milter/milter-error.ts";
import { decodeReply, encodeCommand, type FilterReply } from "../../src/milter/mta-codec.ts";
import { encodeAgreement } from "../../src/milter/negotiation.ts";
import {
  encodeModification,
  encodeVerdict,
  type Modification,
  type Verdict,
} from "../../src/milter/replies.ts";
import { decodedEveryWay, framesOf, joined, thrownBy, uint32, wire } from "./wire-bytes.ts";

/** A text that can stand between two NULs. */
const text = fc.string({
  unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 20,
});
const bytes = fc.uint8Array({ maxLength: 50 });
const mask = fc.integer({ min: 0, max: 0xffffffff });
const parameters = fc.array(
  text.filter((value) => value !== ""),
  { maxLength: 3 },
);

const commands: fc.Arbitrary<MtaCommand> = fc.oneof(
  fc.constantFrom<MtaCommand>({ kind: "abort" }, { kind: "quit" }, { kind: "data" }),
  fc.constantFrom<MtaCommand>({ kind: "quitNewConnexion" }, { kind: "endOfHeaders" }),
  fc.record({ kind: fc.constantFrom("body" as const, "endOfBody" as const), bytes }),
  fc.record({
    kind: fc.constant("connect" as const),
    host: text,
    family: fc.constantFrom("inet" as const, "inet6" as const, "unix" as const),
    port: fc.integer({ min: 0, max: 65535 }),
    address: text,
  }),
  fc.record({
    kind: fc.constant("connect" as const),
    host: text,
    family: fc.constant("unknown" as const),
    port: fc.constant(0),
    address: fc.constant(""),
  }),
  fc.record({
    kind: fc.constant("macro" as const),
    stage: fc.constantFrom(...STAGES),
    pairs: fc.array(fc.tuple(text, text), { maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant("helo" as const), name: text }),
  fc.record({ kind: fc.constant("header" as const), name: text, value: text }),
  fc.record({ kind: fc.constant("mail" as const), sender: text, parameters }),
  fc.record({ kind: fc.constant("rcpt" as const), recipient: text, parameters }),
  fc.record({ kind: fc.constant("negotiate" as const), version: mask, actions: mask, steps: mask }),
  fc.record({ kind: fc.constant("unknown" as const), command: text }),
);

/** Bytes as text, so that views and buffers compare by content. */
function plain(command: MtaCommand): object {
  return "bytes" in command ? { ...command, bytes: binaryText(command.bytes) } : command;
}

describe("what the MTA's end writes, the filter's end reads", () => {
  test("every command", () => {
    fc.assert(
      fc.property(fc.array(commands, { maxLength: 6 }), (list) => {
        const read = framesOf([joined(...list.map(encodeCommand))]).map((frame) =>
          plain(decodeCommand(frame)),
        );
        expect(read).toEqual(list.map(plain));
      }),
      { numRuns: 1500 },
    );
  });

  test("a command is one frame, read alike however it is cut", () => {
    fc.assert(
      fc.property(commands, (command) => {
        const read = decodedEveryWay(encodeCommand(command), (frame) => plain(decodeCommand(frame)));
        expect(read).toEqual([plain(command)]);
      }),
      { numRuns: 150 },
    );
  });
});

const verdicts: readonly [Verdict, FilterReply][] = [
  [{ kind: "continue" }, { kind: "continue" }],
  [{ kind: "accept" }, { kind: "accept" }],
  [{ kind: "reject" }, { kind: "reject" }],
  [{ kind: "tempfail" }, { kind: "tempfail" }],
  [{ kind: "discard" }, { kind: "discard" }],
  [
    { kind: "reply", code: 550, enhanced: "5.7.1", lines: ["a", "50%"] },
    { kind: "replyCode", text: "550-5.7.1 a\r\n550 5.7.1 50%%" },
  ],
];
const changes: readonly Modification[] = [
  { kind: "addHeader", name: "X", value: " v" },
  { kind: "addHeader", name: "X", value: "" },
  { kind: "insertHeader", index: 3, name: "X", value: "v" },
  { kind: "changeHeader", index: 70_000, name: "X", value: "" },
  { kind: "addRecipient", recipient: "<a>" },
  { kind: "addRecipient", recipient: "<a>", parameters: "p" },
  { kind: "deleteRecipient", recipient: "<a>" },
  { kind: "changeSender", sender: "<a>" },
  { kind: "changeSender", sender: "<a>", parameters: "p" },
  { kind: "replaceBody", bytes: Uint8Array.of(1, 0, 255) },
  { kind: "quarantine", reason: "why" },
];

describe("what the filter's end writes, the MTA's end reads", () => {
  test.each(verdicts)("%j", (verdict, reply) => {
    expect(decodedEveryWay(encodeVerdict(verdict), decodeReply)).toEqual([reply]);
  });

  test.each(changes)("%j", (change) => {
    const read = decodedEveryWay(joined(...encodeModification(change)), decodeReply);
    expect(read).toEqual([{ kind: "modification", change }]);
  });

  test("a negotiation with macro lists", () => {
    const agreement = { version: 6, actions: 0x111, steps: 0x80000001 };
    const macros = { mail: ["i", "{auth_type}"], endOfHeaders: [], connect: ["j"] };
    const lists = new Map([
      ["mail", "i {auth_type}"],
      ["endOfHeaders", ""],
      ["connect", "j"],
    ]);
    expect(decodedEveryWay(encodeAgreement(agreement, macros), decodeReply)).toEqual([
      { kind: "negotiate", ...agreement, macros: lists } as FilterReply,
    ]);
  });

  test.each([
    ["a verdict with data behind it", wire("c", "x")],
    ["a reply text without its NUL", wire("y", "550 5.7.1 x")],
    ["a reply text with two", wire("y", "550 5.7.1 x\0\0")],
    ["an empty reply text", wire("y")],
    ["a short negotiation", wire("O", uint32(6))],
    ["a list of no known stage", wire("O", uint32(6), uint32(0x100), uint32(0), uint32(9), "x\0")],
    ["a list without its end", wire("O", uint32(6), uint32(0x100), uint32(0), uint32(1), "x")],
    ["a letter that is no reply", wire("X")],
    ["a list of macros on its own", wire("l", "x\0")],
  ])("%s is refused", (_name, frame) => {
    expect(thrownBy(() => decodedEveryWay(frame, decodeReply))).toBeInstanceOf(MilterError);
  });
});
