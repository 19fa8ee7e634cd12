import { describe, expect, test } from "bun:test";
import { createLog, type LogLevel } from "../../src/log/log.ts";
import { oneLine, wireText } from "../../src/log/text.ts";

function written(verbose: boolean, ...entries: readonly (readonly [LogLevel, string])[]): string[] {
  const lines: string[] = [];
  const log = createLog("clamav-milter", verbose, (line) => void lines.push(line));
  for (const [level, text] of entries) log(level, text);
  return lines;
}

const ALL = [
  ["error", "e"],
  ["warning", "w"],
  ["info", "i"],
  ["verbose", "v"],
] as const;

describe("a log", () => {
  test("writes whole lines with the program's name", () => {
    expect(written(false, ...ALL)).toEqual([
      "clamav-milter: ERROR: e\n",
      "clamav-milter: WARNING: w\n",
      "clamav-milter: i\n",
    ]);
  });

  test("says more when it is verbose", () => {
    expect(written(true, ...ALL).at(-1)).toBe("clamav-milter: v\n");
  });

  test("leaves out no entry because it is like the one before", () => {
    const same = Array.from({ length: 500 }, () => ["info", "the same"] as const);
    expect(written(false, ...same)).toHaveLength(500);
  });

  test("takes texts as they are: nothing in them is a format", () => {
    expect(written(false, ["info", "100%s %d {} $1"])).toEqual(["clamav-milter: 100%s %d {} $1\n"]);
  });
});

describe("one line", () => {
  test.each([
    ["a\nb", "a\\x0ab"],
    ["a\r\nb", "a\\x0d\\x0ab"],
    ["\x1b[2J", "\\x1b[2J"],
    ["\0\x7f\x80\x9f", "\\x00\\x7f\\x80\\x9f"],
    ["\u2028\u2029", "\\x2028\\x2029"],
    ["grün ñ 文", "grün ñ 文"],
  ])("%j", (text, line) => {
    expect(oneLine(text)).toBe(line);
  });

  test("ends, however long the text", () => {
    expect(oneLine("x".repeat(8192))).toHaveLength(8192);
    expect(oneLine("x".repeat(8193))).toBe(`${"x".repeat(8192)}...`);
    expect(oneLine("\n".repeat(1024 * 1024))).toHaveLength(8195);
  });
});

describe("text from the wire", () => {
  test.each([
    ["plain", "plain"],
    [Buffer.from("grün €").toString("latin1"), "grün €"],
    ["a\xffb", "a\\xffb"],
    ["\xc3(", "\\xc3("],
    ["ok \xc3\xa9 bad \xff", "ok \\xc3\\xa9 bad \\xff"],
    ["\xed\xa0\x80", "\\xed\\xa0\\x80"],
  ])("%j", (binary, text) => {
    expect(wireText(binary)).toBe(text);
  });
});
