import { describe, expect, test } from "bun:test";
import { type FileRules, FileSink, standardErrorSink } from "../../src/log/line-sinks.ts";

const AT = new Date(2026, 10, 22, 7, 6, 59);

/** An output that takes what the test allows: whole writes, a number of bytes, or none. */
function output() {
  let allowed: number | Error = Number.POSITIVE_INFINITY;
  let text = "";
  let holder: number | null = null;
  let writes = 0;
  return {
    write(bytes: Uint8Array): number {
      writes++;
      if (allowed instanceof Error) throw allowed;
      const taken = bytes.subarray(0, allowed);
      text += Buffer.from(taken).toString();
      return taken.length;
    },
    close: () => {},
    size: () => text.length,
    lockHolder: () => holder,
    allow: (what: number | Error) => {
      allowed = what;
    },
    lockBy: (pid: number | null) => {
      holder = pid;
    },
    text: () => text,
    writes: () => writes,
  };
}

const FREE = Number.POSITIVE_INFINITY;

describe("standard error", () => {
  function lab() {
    const out = output();
    const sink = standardErrorSink(out, ({ text }) => text);
    return { out, say: (text: string) => sink.write({ level: "info", text }, AT) };
  }

  test("a line is one write", () => {
    const { out, say } = lab();
    say("one");
    say("two");
    expect([out.text(), out.writes()]).toEqual(["one\ntwo\n", 2]);
  });

  test.each(["EAGAIN", "EPIPE", "EIO"])("a line that cannot be written (%s) is counted", (code) => {
    const { out, say } = lab();
    out.allow(Object.assign(new Error(code), { code }));
    say("one");
    say("two");
    out.allow(FREE);
    say("three");
    expect(out.text()).toBe("2 lines were lost here\nthree\n");
  });

  test("a line taken in part is finished first", () => {
    const { out, say } = lab();
    out.allow(2);
    say("first");
    out.allow(0);
    say("second");
    out.allow(FREE);
    say("third");
    expect(out.text()).toBe("first\n1 line was lost here\nthird\n");
  });

  test("so is the note of what was lost", () => {
    const { out, say } = lab();
    out.allow(0);
    say("first");
    out.allow(3);
    say("second");
    out.allow(FREE);
    say("third");
    expect(out.text()).toBe("1 line was lost here\n1 line was lost here\nthird\n");
  });
});

describe("a log file", () => {
  function lab(rules: Partial<FileRules> = {}) {
    const file = output();
    const sink = new FileSink(file, { maxSize: 0, timePrefix: false, ...rules }, ({ text }) => text);
    return { file, sink, say: (text: string) => sink.write({ level: "info", text }, AT) };
  }

  test("has the time in front of each line with LogTime", () => {
    const { file, say } = lab({ timePrefix: true });
    say("one");
    expect(file.text()).toBe("Sun Nov 22 07:06:59 2026 -> one\n");
  });

  test("ends with one note when LogFileMaxSize is exceeded, and counts the rest", () => {
    const { file, sink, say } = lab({ maxSize: 10 });
    for (const text of ["123456", "7890", "lost", "lost", "lost"]) say(text);
    expect(file.text()).toBe(
      "123456\n7890\nLogFileMaxSize (10 bytes) is exceeded: nothing more is logged here\n",
    );
    expect(sink.lost).toBe(3);
  });

  test("has no end with LogFileMaxSize 0, or when another process has it locked", () => {
    const free = lab();
    const shared = lab({ maxSize: 10 });
    shared.file.lockBy(1);
    for (const { say, file, sink } of [free, shared]) {
      for (let at = 0; at < 100; at++) say("12345678");
      expect([file.text().length, sink.lost]).toEqual([900, 0]);
    }
  });

  test("on a full disk loses lines, never halves of them", () => {
    const { file, sink, say } = lab();
    file.allow(4);
    say("first line");
    file.allow(Object.assign(new Error("ENOSPC"), { code: "ENOSPC" }));
    say("second");
    expect(sink.lost).toBe(1);
    file.allow(FREE);
    say("third");
    expect(file.text()).toBe("first line\n1 line was lost here\nthird\n");
    expect(sink.lost).toBe(0);
  });
});
