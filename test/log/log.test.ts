import { describe, expect, test } from "bun:test";
import type { LogEvent } from "../../src/log/event.ts";
import { createLog, type LogLevel } from "../../src/log/log.ts";
import { logLine } from "../../src/log/render.ts";
import { oneLine, wireText } from "../../src/log/text.ts";

const SPEAKER = { program: "clamav-milter", pid: 7 };

function collecting(): { lines: string[]; sink: { write(event: LogEvent, at: Date): void } } {
  const lines: string[] = [];
  return { lines, sink: { write: (event, at) => void lines.push(logLine(event, at, "text", SPEAKER)) } };
}

function written(verbose: boolean, ...entries: readonly (readonly [LogLevel, string])[]): string[] {
  const { lines, sink } = collecting();
  const { log } = createLog(verbose, [sink]);
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
  test("writes lines with the program's name", () => {
    expect(written(false, ...ALL)).toEqual([
      "clamav-milter: ERROR: e",
      "clamav-milter: WARNING: w",
      "clamav-milter: i",
    ]);
  });

  test("says more when it is verbose", () => {
    expect(written(true, ...ALL).at(-1)).toBe("clamav-milter: v");
  });

  test("leaves out no entry because it is like the one before", () => {
    const same = Array.from({ length: 500 }, () => ["info", "the same"] as const);
    expect(written(false, ...same)).toHaveLength(500);
  });

  test("takes texts as they are: nothing in them is a format", () => {
    expect(written(false, ["info", "100%s %d {} $1"])).toEqual(["clamav-milter: 100%s %d {} $1"]);
  });

  test("hands fields through as they are, also such as mean something to a logger", () => {
    const seen: LogEvent[] = [];
    const { log } = createLog(false, [{ write: (event) => void seen.push(event) }]);
    const fields = { message: "m", args: ["a"], type: "t", stack: "s", level: 5 };
    log("info", "text", fields);
    expect(seen).toEqual([{ level: "info", text: "text", fields }]);
  });

  test("goes on elsewhere when its sinks are exchanged", () => {
    const [before, after] = [collecting(), collecting()];
    const { log, setSinks } = createLog(false, [before.sink]);
    log("info", "1");
    setSinks([after.sink, after.sink]);
    log("info", "2");
    expect([before.lines, after.lines].map((lines) => lines.length)).toEqual([1, 2]);
  });
});

describe("one line", () => {
  test.each([
    ["a\nb", "a\\x0ab"],
    ["a\r\nb", "a\\x0d\\x0ab"],
    ["\x1b[2J", "\\x1b[2J"],
    ["\0\x7f\x80\x9f", "\\x00\\x7f\\x80\\x9f"],
    ["\u2028\u2029", "\\x2028\\x2029"],
    ["a\u202eb\u2066c\u200f", "a\\x202eb\\x2066c\\x200f"],
    ["grün ñ 文", "grün ñ 文"],
  ])("%j", (text, line) => {
    expect(oneLine(text)).toBe(line);
  });

  test("ends, however long the text", () => {
    expect(oneLine("x".repeat(4000))).toHaveLength(4000);
    expect(oneLine("x".repeat(4001))).toBe(`${"x".repeat(4000)}...`);
    expect(oneLine("\n".repeat(1024 * 1024))).toHaveLength(4003);
  });

  test("ends with a whole character, and counts bytes", () => {
    expect(oneLine("文".repeat(4000))).toBe(`${"文".repeat(1333)}...`);
    expect(Buffer.byteLength(oneLine("\u{1f600}".repeat(4000)))).toBe(4003);
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
