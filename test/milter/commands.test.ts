import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { binaryText, cStrings, decodeCommand, type MtaCommand, STAGES } from "../../src/milter/commands.ts";
import { MilterError } from "../../src/milter/milter-error.ts";
import { decodedEveryWay, joined, type Part, thrownBy, uint32, wire } from "./wire-bytes.ts";

type Row = readonly [name: string, letter: string, data: readonly Part[], command: MtaCommand];

const connect = { kind: "connect", port: 0, address: "" } as const;
const ROWS: readonly Row[] = [
  ["abort", "A", [], { kind: "abort" }],
  ["quit", "Q", [], { kind: "quit" }],
  ["quit, new connexion follows", "K", [], { kind: "quitNewConnexion" }],
  ["end of headers", "N", [], { kind: "endOfHeaders" }],
  ["data", "T", [], { kind: "data" }],
  ["body", "B", ["a\r\n\0\xff"], { kind: "body", bytes: Buffer.from("a\r\n\0\xff", "latin1") }],
  ["empty body", "B", [], { kind: "body", bytes: Buffer.alloc(0) }],
  ["end of body", "E", [], { kind: "endOfBody", bytes: Buffer.alloc(0) }],
  ["end of body with the last chunk", "E", ["end"], { kind: "endOfBody", bytes: Buffer.from("end") }],
  ["helo", "H", ["mx.example\0"], { kind: "helo", name: "mx.example" }],
  ["helo without its NUL", "H", ["mx.example"], { kind: "helo", name: "mx.example" }],
  ["helo of nothing", "H", [], { kind: "helo", name: "" }],
  ["helo that is empty", "H", ["\0"], { kind: "helo", name: "" }],
  ["mail", "M", ["<a@b>\0"], { kind: "mail", sender: "<a@b>", parameters: [] }],
  [
    "mail with parameters",
    "M",
    ["<a@b>\0SIZE=5\0BODY=8BITMIME\0"],
    { kind: "mail", sender: "<a@b>", parameters: ["SIZE=5", "BODY=8BITMIME"] },
  ],
  ["the null sender", "M", ["<>\0"], { kind: "mail", sender: "<>", parameters: [] }],
  ["mail without any argument", "M", [], { kind: "mail", sender: "<>", parameters: [] }],
  [
    "rcpt",
    "R",
    ["<c@d>\0NOTIFY=NEVER\0"],
    { kind: "rcpt", recipient: "<c@d>", parameters: ["NOTIFY=NEVER"] },
  ],
  ["rcpt without its NUL", "R", ["<c@d>"], { kind: "rcpt", recipient: "<c@d>", parameters: [] }],
  ["unknown", "U", ["XYZZY now\0"], { kind: "unknown", command: "XYZZY now" }],
  ["bytes over 127 stay what they are", "H", ["\xc3\xa9\xff\0"], { kind: "helo", name: "\xc3\xa9\xff" }],
  [
    "negotiation",
    "O",
    [uint32(6), uint32(0x1ff), uint32(0x801fffff)],
    { kind: "negotiate", version: 6, actions: 0x1ff, steps: 0x801fffff },
  ],
  [
    "negotiation with more behind it",
    "O",
    [uint32(7), uint32(0xffffffff), uint32(0), "more"],
    { kind: "negotiate", version: 7, actions: 0xffffffff, steps: 0 },
  ],
];

const CONNECTS: readonly Row[] = [
  [
    "inet",
    "C",
    ["h\x004", [0x1f, 0x90], "1.2.3.4\0"],
    { ...connect, host: "h", family: "inet", port: 8080, address: "1.2.3.4" },
  ],
  [
    "inet6",
    "C",
    ["h\x006", [0xff, 0xff], "::1\0"],
    { ...connect, host: "h", family: "inet6", port: 65535, address: "::1" },
  ],
  [
    "inet6 as sendmail writes it",
    "C",
    ["h\x006", [0, 0], "IPv6:::1\0"],
    { ...connect, host: "h", family: "inet6", address: "IPv6:::1" },
  ],
  [
    "inet without the last NUL",
    "C",
    ["h\x004", [0, 25], "1.2.3.4"],
    { ...connect, host: "h", family: "inet", port: 25, address: "1.2.3.4" },
  ],
  ["inet without an address", "C", ["h\x004", [0, 25]], { ...connect, host: "h", family: "inet", port: 25 }],
  [
    "a unix socket",
    "C",
    ["localhost\0L", [0, 0], "/run/s\0"],
    { ...connect, host: "localhost", family: "unix", address: "/run/s" },
  ],
  ["an unknown family", "C", ["localhost\0U"], { ...connect, host: "localhost", family: "unknown" }],
  [
    "an unknown family with something behind it",
    "C",
    ["h\0U", [0, 0], "x\0"],
    { ...connect, host: "h", family: "unknown" },
  ],
  [
    "a host without a name",
    "C",
    ["[1.2.3.4]\x004", [0, 0], "1.2.3.4\0"],
    { ...connect, host: "[1.2.3.4]", family: "inet", address: "1.2.3.4" },
  ],
];

const HEADERS: readonly Row[] = [
  ["a header", "L", ["Subject\0 Hello\0"], { kind: "header", name: "Subject", value: " Hello" }],
  ["an empty value", "L", ["Subject\0\0"], { kind: "header", name: "Subject", value: "" }],
  ["a value without its NUL", "L", ["Subject\0 Hello"], { kind: "header", name: "Subject", value: " Hello" }],
  ["a name and no value at all", "L", ["Subject\0"], { kind: "header", name: "Subject", value: "" }],
  ["a folded value", "L", ["To\0a,\n\tb\0"], { kind: "header", name: "To", value: "a,\n\tb" }],
  ["a NUL inside the value", "L", ["X\0a\0b\0"], { kind: "header", name: "X", value: "a\0b" }],
  [
    "a name that is a file signature",
    "L",
    ["%PDF-1.4\0 x\0"],
    { kind: "header", name: "%PDF-1.4", value: " x" },
  ],
];

const MACROS: readonly Row[] = [
  ["no macros", "D", ["C"], { kind: "macro", stage: "connect", pairs: [] }],
  ["one", "D", ["Mi\x00ABC\0"], { kind: "macro", stage: "mail", pairs: [["i", "ABC"]] }],
  [
    "with braces",
    "D",
    ["C{client_addr}\x001.2.3.4\0j\0mx\0"],
    {
      kind: "macro",
      stage: "connect",
      pairs: [
        ["{client_addr}", "1.2.3.4"],
        ["j", "mx"],
      ],
    },
  ],
  [
    "a name without a value",
    "D",
    ["Ri\0Q1\0{rcpt_host}\0"],
    {
      kind: "macro",
      stage: "rcpt",
      pairs: [
        ["i", "Q1"],
        ["{rcpt_host}", ""],
      ],
    },
  ],
  ["an empty value at the end", "D", ["Ri\0\0"], { kind: "macro", stage: "rcpt", pairs: [["i", ""]] }],
  ["without the last NUL", "D", ["Hk\0v"], { kind: "macro", stage: "helo", pairs: [["k", "v"]] }],
  ["before data", "D", ["Ti\0Q\0"], { kind: "macro", stage: "data", pairs: [["i", "Q"]] }],
  ["before a header", "D", ["L"], { kind: "macro", stage: "endOfHeaders", pairs: [] }],
  ["before the end of the headers", "D", ["N"], { kind: "macro", stage: "endOfHeaders", pairs: [] }],
  ["before the body", "D", ["B"], { kind: "macro", stage: "endOfMessage", pairs: [] }],
  [
    "before the end of the body",
    "D",
    ["Ei\0Q\0"],
    { kind: "macro", stage: "endOfMessage", pairs: [["i", "Q"]] },
  ],
  ["before a command without a stage", "D", ["Ux\0y\0"], { kind: "macro", stage: null, pairs: [["x", "y"]] }],
  ["without even a command", "D", [], { kind: "macro", stage: null, pairs: [] }],
];

describe.each([
  ["plain commands", ROWS],
  ["CONNECT", CONNECTS],
  ["HEADER", HEADERS],
  ["MACRO", MACROS],
] as const)("%s, whole and cut at every byte", (_title, rows) => {
  test.each(rows.map((row) => [row[0], row] as const))("%s", (_name, [, letter, data, command]) => {
    const read = decodedEveryWay(joined(wire(letter, ...data), wire("Q")), (frame) =>
      plain(decodeCommand(frame)),
    );
    expect(read).toEqual([plain(command), { kind: "quit" }]);
  });
});

/** Bytes as text, so that views and buffers compare by content. */
function plain(command: MtaCommand): object {
  return "bytes" in command ? { ...command, bytes: binaryText(command.bytes) } : command;
}

describe("what is no command", () => {
  const cases: readonly [name: string, letter: string, data: readonly Part[], code: string][] = [
    ["a short negotiation", "O", [uint32(6), uint32(1), [0, 0, 0]], "MILTER_FRAME_DATA"],
    ["an empty negotiation", "O", [], "MILTER_FRAME_DATA"],
    ["a header without the end of its name", "L", ["Subject"], "MILTER_FRAME_DATA"],
    ["an empty header", "L", [], "MILTER_FRAME_DATA"],
    ["a connect without the end of the host", "C", ["host"], "MILTER_FRAME_DATA"],
    ["a connect of nothing", "C", [], "MILTER_FRAME_DATA"],
    ["a connect without a port", "C", ["host\x004", [1]], "MILTER_FRAME_DATA"],
    ["a connect of another family", "C", ["host\x005", [0, 0], "x\0"], "MILTER_FRAME_DATA"],
  ];
  test.each(cases)("%s", (_name, letter, data, code) => {
    const error = thrownBy(() => decodedEveryWay(wire(letter, ...data), decodeCommand));
    expect(error).toBeInstanceOf(MilterError);
    expect(error).toMatchObject({ code });
  });

  test("every letter that is none of the protocol's", () => {
    for (let letter = 0; letter < 256; letter++) {
      if ("ABCDEHKLMNOQRTU".includes(String.fromCharCode(letter))) continue;
      expect(thrownBy(() => decodeCommand({ letter, data: new Uint8Array(0) }))).toMatchObject({
        code: "MILTER_UNKNOWN_COMMAND",
        message: `command 0x${letter.toString(16).padStart(2, "0")} is none of the milter protocol's`,
      });
    }
  });

  test("any data behind any letter: a command or a MilterError", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 64 }), (letter, data) => {
        try {
          decodeCommand({ letter, data });
        } catch (error) {
          if (!(error instanceof MilterError)) throw error;
        }
      }),
      { numRuns: 5000 },
    );
  });
});

describe("strings back to back", () => {
  test.each([
    ["", []],
    ["\0", [""]],
    ["a", ["a"]],
    ["a\0", ["a"]],
    ["a\0\0", ["a", ""]],
    ["\0a", ["", "a"]],
    ["a\0b\0c", ["a", "b", "c"]],
  ])("%j", (text, expected) => {
    expect(cStrings(Buffer.from(text))).toEqual(expected);
  });

  test("the stages are in the order of their numbers", () => {
    expect(STAGES).toEqual(["connect", "helo", "mail", "rcpt", "data", "endOfMessage", "endOfHeaders"]);
  });
});
