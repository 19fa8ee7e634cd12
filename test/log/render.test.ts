import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { LogEvent, LogFields } from "../../src/log/event.ts";
import { ctime, logLine, syslogMessage } from "../../src/log/render.ts";
import { type MessageRecord, messageFields, messageLine } from "../../src/response/log-line.ts";

const SPEAKER = { program: "clamav-milter", pid: 4711 };
/** Local time, since ctime and syslog show that. */
const AT = new Date(2026, 10, 2, 7, 6, 59, 123);
/** No line may be longer than what a pipe takes in one piece, its end included. */
const LONGEST = 4095;
const HARMFUL = /[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

function json(event: LogEvent): unknown {
  return JSON.parse(logLine(event, AT, "json", SPEAKER));
}

describe("text lines", () => {
  test("name the program, and errors and warnings", () => {
    const line = (level: LogEvent["level"]): string => logLine({ level, text: "t" }, AT, "text", SPEAKER);
    expect((["error", "warning", "info", "verbose"] as const).map(line)).toEqual([
      "clamav-milter: ERROR: t",
      "clamav-milter: WARNING: t",
      "clamav-milter: t",
      "clamav-milter: t",
    ]);
  });

  test("the time is that of ctime", () => {
    expect(ctime(AT)).toBe("Mon Nov  2 07:06:59 2026");
    expect(ctime(new Date(2026, 0, 31, 23, 0, 0))).toBe("Sat Jan 31 23:00:00 2026");
  });
});

describe("JSON lines", () => {
  test("say who, when and what", () => {
    expect(json({ level: "warning", text: 'say "it"\n' })).toEqual({
      time: AT.toISOString(),
      level: "warning",
      program: "clamav-milter",
      pid: 4711,
      text: 'say "it"\n',
    });
  });

  test("have an event's fields in place of its text", () => {
    const fields = {
      event: "message",
      to: ["a", "b"],
      client: { host: "h", address: "1" },
      size: 3,
      x: null,
    };
    expect(json({ level: "info", text: "t", fields })).toEqual({
      time: AT.toISOString(),
      level: "info",
      program: "clamav-milter",
      pid: 4711,
      ...fields,
    });
  });

  test("are short enough, however long the event", () => {
    const huge = "\x1b".repeat(1024 * 1024);
    const fields: LogFields = { a: huge, list: Array(1000).fill(huge), c: { d: huge, e: huge } };
    for (const event of [{ text: huge }, { text: "", fields }]) {
      const line = logLine({ level: "info", ...event }, AT, "json", SPEAKER);
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(LONGEST);
      expect(JSON.parse(line)).toMatchObject({ pid: 4711 });
    }
  });
});

describe("syslog messages", () => {
  const message = (level: LogEvent["level"], facility: string): string =>
    syslogMessage({ level, text: "t" }, AT, "text", SPEAKER, facility);

  test.each([
    ["error", "LOG_LOCAL6", 22 * 8 + 3],
    ["warning", "LOG_MAIL", 2 * 8 + 4],
    ["info", "LOG_DAEMON", 3 * 8 + 6],
    ["verbose", "LOG_FTP", 11 * 8 + 7],
    ["info", "LOG_KERN", 6],
    ["info", "LOG_LOCAL7", 23 * 8 + 6],
    ["info", "LOG_NONSENSE", 22 * 8 + 6],
  ] as const)("%s to %s", (level, facility, priority) => {
    expect(message(level, facility)).toBe(`<${priority}>Nov  2 07:06:59 clamav-milter[4711]: t`);
  });

  test("hold a JSON object when that is wanted", () => {
    const text = syslogMessage({ level: "info", text: "t" }, AT, "json", SPEAKER, "LOG_MAIL");
    expect(text).toStartWith("<22>Nov  2 07:06:59 clamav-milter[4711]: {");
    expect(JSON.parse(text.slice(text.indexOf("{")))).toMatchObject({ text: "t", level: "info" });
  });
});

const RECORD: MessageRecord = {
  queueId: "Q1",
  sender: "<a@b>",
  recipients: ["<c@d>", "<e@f>"],
  recipientCount: 2,
  clientHost: "mx.example",
  clientAddress: "192.0.2.1",
  size: 123,
  scan: { kind: "infected", names: ["V 1", "V2"], server: "unix:/clamd", version: "v" },
  outcome: "rejected",
  milliseconds: 12.6,
};

describe("a message in JSON", () => {
  test("has all that its text has", () => {
    expect(messageFields(RECORD)).toEqual({
      event: "message",
      queueId: "Q1",
      outcome: "rejected",
      virus: ["V 1", "V2"],
      from: "<a@b>",
      to: ["<c@d>", "<e@f>"],
      recipients: 2,
      client: { host: "mx.example", address: "192.0.2.1" },
      size: 123,
      server: "unix:/clamd",
      ms: 13,
    });
  });

  test("gives the reason when it was not scanned", () => {
    const scan = { kind: "failed", reason: "why", header: null, server: null } as const;
    expect(messageFields({ ...RECORD, scan })).toMatchObject({ reason: "why", server: null });
  });
});

/** Texts of the kind that hurt: control and format characters, halves of pairs, bytes that are no UTF-8. */
const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 600 }),
  fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
  fc.constantFrom("\ud800", "\udc00x", "\x1b]0;x\x07", '"}\n{"', "\\", "\u202e", "\0".repeat(5000)),
  fc.constantFrom("a\n", "\x9b", "文", '"').map((piece) => piece.repeat(20_000)),
);

describe("whatever mail brings is one whole, short line", () => {
  const record = fc
    .record({
      queueId: hostile,
      sender: hostile,
      recipients: fc.array(hostile, { maxLength: 30 }),
      clientHost: hostile,
      clientAddress: hostile,
      reason: hostile,
    })
    .map(
      ({ reason, ...texts }): MessageRecord => ({
        ...RECORD,
        ...texts,
        recipientCount: texts.recipients.length,
        scan: { kind: "failed", reason, header: null, server: "s" },
      }),
    );

  test("as text, in which nothing pushes our own words out", () => {
    const wholeLine = (message: MessageRecord): void => {
      const text = messageLine(message);
      const line = logLine({ level: "warning", text }, AT, "text", SPEAKER);
      expect(line).not.toMatch(HARMFUL);
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(LONGEST);
      expect(line).toMatch(/ size=123 server=s ms=13$/);
      expect(Buffer.from(line).toString()).toBe(line.toWellFormed());
    };
    fc.assert(fc.property(record, wholeLine), { numRuns: 200 });
  }, 30_000);

  test("as JSON, which parses and has all fields", () => {
    const wholeObject = (message: MessageRecord): void => {
      const event: LogEvent = { level: "info", text: "", fields: messageFields(message) };
      const bytes = Buffer.from(logLine(event, AT, "json", SPEAKER));
      const line = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      expect(line).not.toMatch(HARMFUL);
      expect(bytes.length).toBeLessThanOrEqual(LONGEST);
      expect(JSON.parse(line)).toMatchObject({ event: "message", pid: 4711, size: 123, ms: 13 });
    };
    fc.assert(fc.property(record, wholeObject), { numRuns: 200 });
  }, 30_000);

  test("in every form of any text", () => {
    const anyForm = (text: string): void => {
      const event: LogEvent = { level: "error", text };
      const lines = [
        logLine(event, AT, "text", SPEAKER),
        logLine(event, AT, "json", SPEAKER),
        syslogMessage(event, AT, "text", SPEAKER, "LOG_MAIL"),
        syslogMessage(event, AT, "json", SPEAKER, "LOG_MAIL"),
      ];
      for (const line of lines) {
        expect(line).not.toMatch(HARMFUL);
        expect(Buffer.byteLength(line)).toBeLessThanOrEqual(LONGEST);
      }
      JSON.parse(lines[1] ?? "");
    };
    fc.assert(fc.property(hostile, anyForm), { numRuns: 300 });
  }, 30_000);
});

describe("fields that a child was made to send", () => {
  test("do not take the place of who speaks, and when", () => {
    const fields: LogFields = { time: "then", level: "info", program: "sshd", pid: 1, event: "message" };
    expect(json({ level: "error", text: "t", fields })).toEqual({
      time: AT.toISOString(),
      level: "error",
      ...SPEAKER,
      event: "message",
    });
  });

  test("too many of them leave the text", () => {
    const fields = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`field${at}`, at]));
    for (const text of ["t", "\x1b".repeat(3000), "\u{1f600}".repeat(3000)]) {
      const line = logLine({ level: "error", text, fields }, AT, "json", SPEAKER);
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(LONGEST);
      expect(JSON.parse(line)).toMatchObject({ ...SPEAKER, text: expect.stringMatching(/^./) as string });
    }
  });
});
