import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  encodeModification,
  encodeVerdict,
  type Modification,
  PROGRESS,
  replyText,
  SKIP,
  type Verdict,
} from "../../src/milter/replies.ts";
import { joined, type Part, uint32, wire } from "./wire-bytes.ts";

function reply(code: number, enhanced: string, ...lines: string[]): Verdict {
  return { kind: "reply", code, enhanced, lines };
}

describe("verdicts on the wire", () => {
  const cases: readonly [verdict: Verdict, letter: string, data: string][] = [
    [{ kind: "continue" }, "c", ""],
    [{ kind: "accept" }, "a", ""],
    [{ kind: "reject" }, "r", ""],
    [{ kind: "tempfail" }, "t", ""],
    [{ kind: "discard" }, "d", ""],
    [reply(554, "5.7.1", "no"), "y", "554 5.7.1 no\0"],
    [reply(451, "4.3.2", "later"), "y", "451 4.3.2 later\0"],
  ];
  test.each(cases)("%j", (verdict, letter, data) => {
    expect(Buffer.from(encodeVerdict(verdict))).toEqual(Buffer.from(wire(letter, data)));
  });

  test("progress and skip", () => {
    expect(Buffer.from(PROGRESS)).toEqual(Buffer.from(wire("p")));
    expect(Buffer.from(SKIP)).toEqual(Buffer.from(wire("s")));
  });
});

describe("reply texts", () => {
  test("several lines: all but the last have a dash", () => {
    expect(replyText(550, "5.7.1", ["a", "b", "c"])).toBe("550-5.7.1 a\r\n550-5.7.1 b\r\n550 5.7.1 c");
  });

  test("no line is an empty one", () => {
    expect(replyText(550, "5.7.1", [])).toBe("550 5.7.1 ");
  });

  test("a percent sign is doubled: sendmail formats the text", () => {
    expect(replyText(554, "5.7.1", ["100% %s %%"])).toBe("554 5.7.1 100%% %%s %%%%");
  });

  test("no more than 32 lines", () => {
    const text = replyText(
      554,
      "5.7.1",
      Array.from({ length: 40 }, (_, at) => `${at}`),
    ).split("\r\n");
    expect(text).toHaveLength(32);
    expect(text.at(-1)).toBe("554 5.7.1 31");
    expect(text.slice(0, -1).every((line) => line.startsWith("554-5.7.1 "))).toBe(true);
  });

  test.each([978, 979, 980, 981, 2000])("a line of %d percent signs is cut between doubled ones", (count) => {
    const line = replyText(554, "5.7.1", ["%".repeat(count)]).slice("554 5.7.1 ".length);
    expect(line.length).toBe(980);
    const odd = replyText(554, "5.7.1", [`x${"%".repeat(count)}`]).slice("554 5.7.1 ".length);
    expect(odd).toBe(`x${"%".repeat(978)}`);
  });

  test("line ends and NUL inside a line are blanks", () => {
    expect(replyText(554, "5.7.1", ["a\r\n250 OK\0b"])).toBe("554 5.7.1 a 250 OK b");
  });

  test("a character that is no byte cannot become a line end on the wire", () => {
    const bytes = encodeVerdict(reply(554, "5.7.1", "a\u010d\u010a250 fine\u0100z"));
    expect(Buffer.from(bytes).toString("latin1")).toEndWith("554 5.7.1 a??250 fine?z\0");
  });

  test.each([
    [250, "2.0.0"],
    [399, "4.0.0"],
    [600, "5.0.0"],
    [550, "4.7.1"],
    [450, "5.7.1"],
    [550, "5.7"],
    [550, "5.1234.1"],
    [550, "5.7.1 x"],
    [550, ""],
    [Number.NaN, "5.7.1"],
  ])("%d with %s is refused", (code, enhanced) => {
    expect(() => replyText(code, enhanced, ["x"])).toThrow(RangeError);
  });

  test("any text: one frame, whose lines are as Postfix wants them", () => {
    const lines = fc.array(fc.string({ unit: "binary", maxLength: 1500 }), { maxLength: 40 });
    fc.assert(
      fc.property(lines, (texts) => {
        const bytes = Buffer.from(encodeVerdict(reply(554, "5.7.1", ...texts))).toString("latin1");
        const text = bytes.slice(5, -1);
        const parts = text.split("\r\n");
        const tidy = parts.every((line, at) => {
          const head = at < parts.length - 1 ? "554-5.7.1 " : "554 5.7.1 ";
          return line.startsWith(head) && !/[\0\r\n]/.test(line) && line.length <= 980 + head.length;
        });
        const undoubled = /(?<!%)(%%)*%(?!%)/.test(text);
        return tidy && !undoubled && parts.length <= 32 && bytes.endsWith("\0");
      }),
      { numRuns: 150 },
    );
  });
});

describe("modifications on the wire", () => {
  const cases: readonly [change: Modification, letter: string, data: readonly Part[]][] = [
    [{ kind: "addHeader", name: "X-A", value: " v" }, "h", ["X-A\0 v\0"]],
    [{ kind: "insertHeader", index: 0, name: "X-A", value: "v" }, "i", [uint32(0), "X-A\0v\0"]],
    [{ kind: "changeHeader", index: 258, name: "X-A", value: "" }, "m", [uint32(258), "X-A\0\0"]],
    [{ kind: "addRecipient", recipient: "<a@b>" }, "+", ["<a@b>\0"]],
    [
      { kind: "addRecipient", recipient: "<a@b>", parameters: "NOTIFY=NEVER" },
      "2",
      ["<a@b>\0NOTIFY=NEVER\0"],
    ],
    [{ kind: "deleteRecipient", recipient: "<a@b>" }, "-", ["<a@b>\0"]],
    [{ kind: "changeSender", sender: "<>" }, "e", ["<>\0"]],
    [{ kind: "changeSender", sender: "<a@b>", parameters: "SIZE=1" }, "e", ["<a@b>\0SIZE=1\0"]],
    [{ kind: "replaceBody", bytes: Buffer.from("a\0b") }, "b", ["a\0b"]],
    [{ kind: "replaceBody", bytes: Buffer.alloc(0) }, "b", []],
    [{ kind: "quarantine", reason: "virus" }, "q", ["virus\0"]],
    [{ kind: "addHeader", name: "X\0-A", value: "a\0b" }, "h", ["X-A\0ab\0"]],
    [{ kind: "addHeader", name: "X-A", value: "\xe9\u0141" }, "h", ["X-A\0\xe9?\0"]],
  ];
  test.each(cases)("%j", (change, letter, data) => {
    const frames = encodeModification(change);
    expect(frames.map((frame) => Buffer.from(frame))).toEqual([Buffer.from(wire(letter, ...data))]);
  });

  test.each([
    [65_534, [65_534]],
    [65_535, [65_535]],
    [65_536, [65_535, 1]],
    [131_070, [65_535, 65_535]],
    [131_071, [65_535, 65_535, 1]],
  ])("a body of %d bytes goes out in pieces of %j", (size, sizes) => {
    const bytes = new Uint8Array(size).map((_, at) => at % 253);
    const frames = encodeModification({ kind: "replaceBody", bytes });
    expect(frames.map((frame) => frame.length - 5)).toEqual(sizes);
    expect(Bun.deepEquals(joined(...frames.map((frame) => frame.subarray(5))), bytes)).toBe(true);
    expect(new Set(frames.map((frame) => String.fromCharCode(frame[4] ?? 0)))).toEqual(new Set(["b"]));
  });

  test("what does not fit into a frame is refused, not cut", () => {
    const value = "x".repeat(65_540);
    expect(() => encodeModification({ kind: "addHeader", name: "X", value })).toThrow(RangeError);
  });
});
