import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ClamdError } from "../../src/clamd/clamd-error.ts";
import {
  MAX_REPLY_BYTES,
  parseNumbered,
  parseScanReply,
  ReplyDecoder,
  type ScanReply,
} from "../../src/clamd/reply.ts";

const CLEAN: ScanReply = { kind: "clean" };
const TOO_LARGE: ScanReply = { kind: "tooLarge" };
const infected = (name: string): ScanReply => ({ kind: "infected", name });
const limit = (name: string): ScanReply => ({ kind: "limitExceeded", name });
const failed = (text: string): ScanReply => ({ kind: "failed", text });
const junk = (text: string): [string, ScanReply] => [text, failed(`not understood: ${text}`)];

const LONG = "x".repeat(5000);

describe("what clamd says of a stream", () => {
  const replies: readonly [string, ScanReply][] = [
    ["stream: OK", CLEAN],
    ["stream: Eicar-Signature FOUND", infected("Eicar-Signature")],
    ["stream: Test.Thing.UNOFFICIAL FOUND", infected("Test.Thing.UNOFFICIAL")],
    ["stream: a name with spaces FOUND", infected("a name with spaces")],
    ["stream: OK FOUND", infected("OK")],
    ["stream: ERROR FOUND", infected("ERROR")],
    ["stream: X ERROR FOUND", infected("X ERROR")],
    ["stream: FOUND FOUND", infected("FOUND")],
    ["stream: Y FOUND FOUND", infected("Y FOUND")],
    ["stream: stream: OK FOUND", infected("stream: OK")],
    ["stream: size limit exceeded. ERROR FOUND", infected("size limit exceeded. ERROR")],
    ["stream: Win.Trojan-1(0123abcd:68) FOUND", infected("Win.Trojan-1(0123abcd:68)")],
    [`stream: ${LONG} FOUND`, infected(LONG)],
    ["stream: \xe9\xff FOUND", infected("\xe9\xff")],
    [
      "stream: Heuristics.Phishing.Email.SpoofedDomain FOUND",
      infected("Heuristics.Phishing.Email.SpoofedDomain"),
    ],
    ["stream: Heuristics.Limits.Exceeded FOUND", limit("Heuristics.Limits.Exceeded")],
    ["stream: Heuristics.Limits.Exceeded.MaxScanSize FOUND", limit("Heuristics.Limits.Exceeded.MaxScanSize")],
    ["stream: My.Heuristics.Limits.Exceeded FOUND", infected("My.Heuristics.Limits.Exceeded")],
    ["INSTREAM size limit exceeded. ERROR", TOO_LARGE],
    ["stream: Size limit exceeded ERROR", failed("stream: Size limit exceeded")],
    ["stream: Can't allocate memory ERROR", failed("stream: Can't allocate memory")],
    ["Can't create temporary directory ERROR", failed("Can't create temporary directory")],
    ["stream: Time limit reached ERROR", failed("stream: Time limit reached")],
    ["stream: OK ERROR", failed("stream: OK")],
    ["stream: Eicar FOUND ERROR", failed("stream: Eicar FOUND")],
    ["Command invalid inside IDSESSION. ERROR", failed("Command invalid inside IDSESSION.")],
    junk(""),
    junk("OK"),
    junk("stream: ok"),
    junk("stream: OK "),
    junk(" stream: OK"),
    junk("stream:OK"),
    junk("stream: not OK"),
    junk("stream: OK stream: OK"),
    junk("fd[7]: OK"),
    junk("fd[12345678901]: OK"),
    junk("stream:  FOUND"),
    junk("stream: FOUND"),
    junk("FOUND"),
    junk("Eicar FOUND"),
    junk("ERROR"),
    junk("UNKNOWN COMMAND"),
    junk("COMMAND UNAVAILABLE"),
    junk("COMMAND READ TIMED OUT"),
    junk("PONG"),
    junk("fd[]: OK"),
    junk("fd[7]: OK "),
    junk("stream: stream: OK"),
    junk(LONG),
  ];
  test.each(replies.map((row) => [row[0].slice(0, 60), ...row] as const))("'%s'", (_start, text, reply) => {
    expect(parseScanReply(text)).toEqual(reply);
  });

  test("nothing but the very words is clean", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), fc.string({ maxLength: 20 }), (before, after) => {
        const text = `${before}stream: OK${after}`;
        return (parseScanReply(text).kind === "clean") === (text === "stream: OK");
      }),
      { numRuns: 1000 },
    );
  });
});

describe("replies of a session carry a number", () => {
  test.each([
    ["1: stream: OK", 1, "stream: OK"],
    ["42:stream: OK", 42, "stream: OK"],
    ["9999999999: x", 9_999_999_999, "x"],
    ["1: ", 1, ""],
    ["1:", 1, ""],
    ["1: 2: OK", 1, "2: OK"],
  ])("%j", (text, id, rest) => {
    expect(parseNumbered(text)).toEqual({ id, text: rest });
  });

  test.each([
    "",
    "COMMAND READ TIMED OUT",
    "stream: OK",
    " 1: x",
    "-1: x",
    "1 : x",
    "12345678901: x",
    "0x1: y",
  ])("%j has none", (text) => {
    expect(parseNumbered(text)).toEqual({ id: null, text });
  });
});

describe("replies out of bytes", () => {
  const said = "1: stream: OK\x002: stream: A B FOUND\0\0\nCOMMAND READ TIMED OUT\n3: \xe9\0";
  const replies = ["1: stream: OK", "2: stream: A B FOUND", "COMMAND READ TIMED OUT", "3: \xe9"];

  test("whole, cut at every byte, and byte by byte", () => {
    const bytes = Buffer.from(said, "latin1");
    for (let at = 0; at <= bytes.length; at++) {
      const decoder = new ReplyDecoder();
      expect([...decoder.push(bytes.subarray(0, at)), ...decoder.push(bytes.subarray(at))]).toEqual(replies);
      expect(decoder.held).toBe(0);
    }
    const decoder = new ReplyDecoder();
    expect(Array.from(bytes).flatMap((byte) => decoder.push(Uint8Array.of(byte)))).toEqual(replies);
  });

  test("one that is not ended waits", () => {
    const decoder = new ReplyDecoder();
    expect(decoder.push(Buffer.from("1: stream: O"))).toEqual([]);
    expect(decoder.held).toBe(12);
    expect(decoder.push(Buffer.from("K\0"))).toEqual(["1: stream: OK"]);
  });

  test("the longest is taken, a byte more is not", () => {
    const longest = Buffer.alloc(MAX_REPLY_BYTES, "x");
    expect(new ReplyDecoder().push(Buffer.concat([longest, Buffer.from("\0")]))).toHaveLength(1);
    const decoder = new ReplyDecoder();
    decoder.push(longest);
    expect(() => decoder.push(Buffer.from("x"))).toThrow(ClamdError);
    expect(() => new ReplyDecoder().push(Buffer.alloc(MAX_REPLY_BYTES + 1, "x"))).toThrow(ClamdError);
  });

  test("any bytes: replies or a ClamdError, and no more held than the longest reply", () => {
    const big = fc.integer({ min: 0, max: 70_000 }).map((size) => new Uint8Array(size).fill(0x61));
    const chunk = fc.oneof(
      { weight: 6, arbitrary: fc.uint8Array({ maxLength: 300 }) },
      { weight: 1, arbitrary: big },
    );
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 8 }), (chunks) => {
        const decoder = new ReplyDecoder();
        try {
          for (const bytes of chunks) {
            for (const reply of decoder.push(bytes)) if (/[\0\n]/.test(reply) || reply === "") return false;
            if (decoder.held > MAX_REPLY_BYTES) return false;
          }
        } catch (error) {
          return error instanceof ClamdError && error.code === "CLAMD_PROTOCOL";
        }
        return true;
      }),
      { numRuns: 1000 },
    );
  });
});

test.each<[string, ScanReply]>([
  ["fd[7]: OK", CLEAN],
  ["fd[12]: A FOUND", infected("A")],
  ["fd[12]: Can't open file ERROR", failed("fd[12]: Can't open file")],
  junk("stream: OK"),
  junk("fd[]: OK"),
  junk("fd[7]: OK "),
  junk("fd[12345678901]: OK"),
])("what clamd says of a passed descriptor: '%s'", (text, reply) => {
  expect(parseScanReply(text, true)).toEqual(reply);
});
