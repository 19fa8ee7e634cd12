import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { LogEvent } from "../../src/log/event.ts";
import { createLog } from "../../src/log/log.ts";
import { logLine } from "../../src/log/render.ts";
import { headerText, scannedBy } from "../../src/response/header-value.ts";
import { type MessageRecord, messageLine } from "../../src/response/log-line.ts";
import { planResponse } from "../../src/response/plan.ts";
import type { ScanVerdict } from "../../src/scan/verdict.ts";
import { FACTS, RULES } from "./fixtures.ts";

const HOSTILE: readonly (readonly [start: string, text: string])[] = [
  "Eicar\r\nX-Virus-Status: Clean",
  "a\0b\tc\x1b[31md",
  "\x7f\x01\x02",
  '"quoted\\"',
  "%s%n",
  "x".repeat(1024 * 1024),
  "",
  "   ",
].map((text) => [JSON.stringify(text.slice(0, 20)), text]);

describe("texts in headers and replies", () => {
  test.each([
    ["plain", "plain"],
    ["a\r\n b", "a  b"],
    ["\0\x1f\x7f", ""],
    [" both ends ", "both ends"],
    ["tab\there", "tab here"],
    ["caf\xe9", "caf\xe9"],
  ])("%j", (text, shown) => {
    expect(headerText(text)).toBe(shown);
  });

  test("are cut at their length", () => {
    expect(headerText("x".repeat(200))).toBe("x".repeat(200));
    expect(headerText("x".repeat(201))).toBe(`${"x".repeat(199)}~`);
    expect(headerText("abcdef", 3)).toBe("ab~");
  });

  test.each([
    ["ClamAV 1.4.6/27000/Sun Nov 22", "ClamAV version 1.4.6/27000/Sun Nov 22, clamav-milter version 2 on h"],
    ["ClamAV 1.4.6", "ClamAV version 1.4.6, clamav-milter version 2 on h"],
    ["", "ClamAV version unknown, clamav-milter version 2 on h"],
    ["x\r\nEvil: 1", "ClamAV version x Evil: 1, clamav-milter version 2 on h"],
  ])("the version %j", (version, shown) => {
    expect(scannedBy(version, "2", "h")).toBe(shown);
  });

  test.each(HOSTILE)("no name of a virus breaks out: %s…", (_start, name) => {
    const rules = { ...RULES, acceptOnError: true };
    const facts = { ...FACTS, statusHeaders: 1, leadingSpace: true };
    const scans: ScanVerdict[] = [
      { kind: "infected", names: [name, name], server: "s", version: "v" },
      { kind: "clean", server: "s", version: name },
      { kind: "oversize", reason: name, server: null },
      { kind: "failed", reason: name, header: name, server: null },
    ];
    for (const scan of scans) {
      const plan = planResponse(scan, rules, facts);
      const lines = plan.verdict.kind === "reply" ? plan.verdict.lines : [];
      const values = plan.modifications.flatMap((change) => ("value" in change ? [change.value] : []));
      expect(lines.length + values.length).toBeGreaterThan(0);
      for (const text of [...lines, ...values]) {
        expect(text).not.toMatch(/[\0-\x1f\x7f]/);
        expect(text.length).toBeLessThan(500);
      }
    }
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
  scan: { kind: "clean", server: "unix:/clamd", version: "v" },
  outcome: "clean",
  milliseconds: 12.6,
};

/** The record's line as it stands in the log. */
function logged(changes: Partial<MessageRecord>): string {
  const lines: string[] = [];
  const sink = {
    write: (event: LogEvent, at: Date) => {
      lines.push(`${logLine(event, at, "text", { program: "p", pid: 1 })}\n`);
    },
  };
  createLog(true, [sink]).log("info", messageLine({ ...RECORD, ...changes }));
  expect(lines).toHaveLength(1);
  return lines[0] ?? "";
}

describe("the line of a message", () => {
  test("says what happened to whom", () => {
    expect(messageLine(RECORD)).toBe(
      "Q1: clean from=<a@b> to=<c@d>,<e@f> client=mx.example[192.0.2.1] size=123 server=unix:/clamd ms=13",
    );
  });

  test("names all viruses, or the reason", () => {
    const names = ["V 1", 'V"2'];
    const infected: ScanVerdict = { kind: "infected", names, server: "s", version: "v" };
    expect(messageLine({ ...RECORD, scan: infected, outcome: "rejected" })).toStartWith(
      'Q1: rejected virus="V 1, V\\"2" from=',
    );
    const failed: ScanVerdict = { kind: "failed", reason: 'say "why"', header: null, server: null };
    const line = messageLine({ ...RECORD, scan: failed, outcome: "tempfailed" });
    expect(line).toStartWith('Q1: tempfailed reason="say \\"why\\"" from=');
    expect(line).not.toContain("server=");
  });

  test("shows twenty recipients and counts the rest", () => {
    const recipients = Array.from({ length: 30 }, (_, at) => `<r${at}>`);
    const line = messageLine({ ...RECORD, recipients, recipientCount: 1500 });
    expect(line).toContain("<r19> (and 1480 more) client=");
    expect(line).not.toContain("<r20>");
    expect(messageLine({ ...RECORD, recipients: [], recipientCount: 0 })).toContain(" to= client=");
  });

  test("shows UTF-8 as it is, and other bytes by number", () => {
    const utf8 = Buffer.from("<dédé@ü>").toString("latin1");
    expect(messageLine({ ...RECORD, sender: utf8 })).toContain("from=<dédé@ü> ");
    expect(messageLine({ ...RECORD, sender: "<\xff@b>" })).toMatch(/from=<\\+xff@b> /);
  });

  test("a blank or a quote of the sender's is not ours", () => {
    const line = messageLine({ ...RECORD, sender: '<a> to=<x> virus="none"' });
    expect(line).toContain('from=<a>\\x20to=<x>\\x20virus=\\"none\\" to=<c@d>');
    expect(line.match(/ to=/g)).toHaveLength(1);
  });

  test.each(HOSTILE)("is one line without control characters, and ends: %s…", (_start, text) => {
    const scans: ScanVerdict[] = [
      { kind: "infected", names: [text], server: "s", version: text },
      { kind: "failed", reason: text, header: text, server: null },
    ];
    for (const scan of scans) {
      const recipients = Array(1000).fill(text);
      const changes = {
        queueId: text,
        sender: text,
        recipients,
        clientHost: text,
        clientAddress: text,
        scan,
      };
      const line = logged(changes);
      expect(line).toEndWith("\n");
      expect(line.slice(0, -1)).not.toMatch(/[\0-\x1f\x7f-\x9f\u2028\u2029]/);
      expect(line.length).toBeLessThan(9000);
    }
  });

  test("so it is for any bytes", () => {
    const bytes = fc.uint8Array({ maxLength: 500 }).map((list) => Buffer.from(list).toString("latin1"));
    fc.assert(
      fc.property(bytes, bytes, bytes, (sender, queueId, clientHost) => {
        const line = logged({ sender, queueId, clientHost });
        return !/[\0-\x1f\x7f-\x9f\u2028\u2029]/.test(line.slice(0, -1)) && line.endsWith("ms=13\n");
      }),
      { numRuns: 500 },
    );
  });
});
