import { describe, expect, test } from "bun:test";
import { Action, ALL_ACTIONS } from "../../src/milter/codes.ts";
import type { Modification } from "../../src/milter/replies.ts";
import { lackingText, neededActions } from "../../src/response/actions.ts";
import { needsSpf, planResponse } from "../../src/response/plan.ts";
import type { MessageFacts, ResponsePlan, ResponseRules } from "../../src/response/rules.ts";
import type { ScanVerdict } from "../../src/scan/verdict.ts";
import { FACTS, RULES } from "./fixtures.ts";

const SCANNED = { server: "s", version: "ClamAV 1.4" };
const INFECTED: ScanVerdict = { kind: "infected", names: ["V1"], ...SCANNED };
const PHISH: ScanVerdict = { kind: "infected", names: ["Heuristics.Phishing.Email.X"], ...SCANNED };
const SIGNED_PHISH: ScanVerdict = { kind: "infected", names: ["Email.Phishing.Bank-1"], ...SCANNED };
const CLEAN: ScanVerdict = { kind: "clean", ...SCANNED };
const OVERSIZE: ScanVerdict = { kind: "oversize", reason: "StreamMaxLength exceeded", server: null };
const FAILED: ScanVerdict = { kind: "failed", reason: "x", header: null, server: null };

const Q: Partial<ResponseRules> = { quarantineAddress: "virus@lab.example" };
const A: Partial<ResponseRules> = { advisory: true };
const N: Partial<ResponseRules> = { discardInfected: true };
const U: Partial<ResponseRules> = { keepInfected: true };
const R: Partial<ResponseRules> = { reportFalsePositives: true };
const PHISH_REPORT: Partial<ResponseRules> = { reportPhish: true };

/** A plan as text: what an administrator would want to know of it. */
function told(plan: ResponsePlan): string[] {
  const { verdict } = plan;
  const extras = [
    plan.keep ? "keep" : "",
    plan.notice === null ? "" : `notice ${plan.notice}`,
    ...plan.reports.map((kind) => `report ${kind}`),
    plan.alarm ? "alarm" : "",
    plan.sign ? "sign" : "",
  ].filter((text) => text !== "");
  const answer = verdict.kind === "reply" ? `${verdict.code} ${verdict.lines.join("|")}` : verdict.kind;
  return [...plan.modifications.map(changeText), `${answer}: ${plan.outcome}`, extras.join(", ")];
}

function changeText(change: Modification): string {
  if (change.kind === "addHeader") return `+${change.name}: ${change.value}`;
  if (change.kind === "changeHeader") return `=${change.name} ${change.index}: ${change.value}`;
  if (change.kind === "addRecipient" || change.kind === "deleteRecipient") {
    return `${change.kind === "addRecipient" ? "+" : "-"}${change.recipient}`;
  }
  return change.kind;
}

function plan(scan: ScanVerdict, rules: Partial<ResponseRules>, facts: Partial<MessageFacts> = {}): string[] {
  return told(planResponse(scan, { ...RULES, ...rules }, { ...FACTS, ...facts }));
}

const VERSION = "+X-Virus-Scanned: ClamAV version 1.4, clamav-milter version 9 on h";
const REFUSED = "554 virus V1 detected by ClamAV - http://www.clamav.net: rejected";
const REFUSED_PHISH = REFUSED.replace("V1", "Heuristics.Phishing.Email.X");

const MARKED = [
  VERSION,
  "+X-Virus-Status: Infected with V1",
  "+X-Original-Subject: hello",
  "=Subject 1: [Virus] V1",
];
const REDIRECTED = [
  VERSION,
  "+X-Virus-Status: Infected with V1",
  "-<bob@lab.example>",
  "+X-Original-To: bob@lab.example",
  "-<carol@lab.example>",
  "+X-Original-To: carol@lab.example",
  "+<virus@lab.example>",
  "+X-Original-Subject: hello",
  "=Subject 1: [Virus] V1",
  "accept: redirected",
];

type Row = readonly [
  title: string,
  scan: ScanVerdict,
  rules: Partial<ResponseRules>,
  facts: Partial<MessageFacts>,
  told: readonly string[],
];

const ROWS: readonly Row[] = [
  ["default", INFECTED, {}, {}, [REFUSED, "notice refused, alarm"]],
  ["-q", INFECTED, { notices: false }, {}, [REFUSED, "alarm"]],
  ["-N", INFECTED, N, {}, ["discard: discarded", "notice discarded, alarm"]],
  ["-U", INFECTED, U, {}, [REFUSED, "keep, notice refused, alarm"]],
  ["-U -N", INFECTED, { ...U, ...N }, {}, ["discard: discarded", "keep, notice discarded, alarm"]],
  [
    "-U, from MDaemon",
    INFECTED,
    U,
    { fromMdaemon: true },
    ["discard: discarded", "keep, notice discarded, alarm"],
  ],
  ["-A", INFECTED, A, {}, [...MARKED, "accept: delivered", "notice delivered, alarm"]],
  ["-A -N", INFECTED, { ...A, ...N }, {}, [...MARKED, "accept: delivered", "notice delivered, alarm"]],
  [
    "-A, no subject, a forged status",
    INFECTED,
    A,
    { subject: null, statusHeaders: 1 },
    [
      "=X-Virus-Status 1: ",
      VERSION,
      "+X-Virus-Status: Infected with V1",
      "+Subject: [Virus] V1",
      "accept: delivered",
      "notice delivered, alarm",
    ],
  ],
  [
    "-A -n: the subject is no X-Virus header",
    INFECTED,
    { ...A, addHeaders: false },
    { statusHeaders: 1 },
    ["+X-Original-Subject: hello", "=Subject 1: [Virus] V1", "accept: delivered", "notice delivered, alarm"],
  ],
  [
    "-A, own blank, a folded subject",
    INFECTED,
    { ...A, addHeaders: false },
    { subject: " one\r\n\ttwo", leadingSpace: true },
    [
      "+X-Original-Subject:  one two",
      "=Subject 1:  [Virus] V1",
      "accept: delivered",
      "notice delivered, alarm",
    ],
  ],
  [
    "-A, headers may not be changed",
    INFECTED,
    A,
    { mayChangeHeaders: false },
    [REFUSED, "notice refused, alarm"],
  ],
  [
    "-A -N, headers may not be added",
    INFECTED,
    { ...A, ...N },
    { mayAddHeaders: false },
    ["discard: discarded", "notice discarded, alarm"],
  ],
  ["-Q", INFECTED, Q, {}, [...REDIRECTED, "notice redirected, alarm"]],
  ["-Q -N", INFECTED, { ...Q, ...N }, {}, [...REDIRECTED, "notice redirected, alarm"]],
  ["-Q -U", INFECTED, { ...Q, ...U }, {}, [...REDIRECTED, "keep, notice redirected, alarm"]],
  ["-Q, from MDaemon", INFECTED, Q, { fromMdaemon: true }, [...REDIRECTED, "notice redirected, alarm"]],
  [
    "-Q, to the quarantine address itself, too",
    INFECTED,
    { ...Q, addHeaders: false },
    { recipients: ["<Virus@LAB.example>", "<bob@lab.example>"], subject: null },
    [
      "+X-Original-To: Virus@LAB.example",
      "-<bob@lab.example>",
      "+X-Original-To: bob@lab.example",
      "+Subject: [Virus] V1",
      "accept: redirected",
      "notice redirected, alarm",
    ],
  ],
  [
    "-Q, more recipients than known",
    INFECTED,
    Q,
    { allRecipients: false },
    [REFUSED, "notice refused, alarm"],
  ],
  [
    "-Q, recipients may not be added",
    INFECTED,
    Q,
    { mayAddRecipients: false },
    [REFUSED, "notice refused, alarm"],
  ],
  [
    "-Q -N -U, recipients may not be deleted",
    INFECTED,
    { ...Q, ...N, ...U },
    { mayDeleteRecipients: false },
    ["discard: discarded", "keep, notice discarded, alarm"],
  ],
  ["-Q, headers may not be added", INFECTED, Q, { mayAddHeaders: false }, [REFUSED, "notice refused, alarm"]],
  ["-r, no phish", INFECTED, PHISH_REPORT, {}, [REFUSED, "notice refused, alarm"]],
  ["-r", PHISH, PHISH_REPORT, {}, [REFUSED_PHISH, "notice refused, report phish, alarm"]],
  [
    "-r -q -N",
    PHISH,
    { ...PHISH_REPORT, ...N, notices: false },
    {},
    ["discard: discarded", "report phish, alarm"],
  ],
  [
    "-R, SPF passes",
    PHISH,
    { ...R, ...PHISH_REPORT, ...U },
    { spfPass: true },
    [
      VERSION,
      "+X-Virus-Status: Infected with Heuristics.Phishing.Email.X (SPF pass, reported)",
      "accept: delivered",
      "report falsePositive",
    ],
  ],
  [
    "-R -n, SPF passes",
    PHISH,
    { ...R, addHeaders: false },
    { spfPass: true },
    ["accept: delivered", "report falsePositive"],
  ],
  ["-R, SPF does not pass", PHISH, R, {}, [REFUSED_PHISH, "notice refused, alarm"]],
  ["no -R, SPF would pass", PHISH, {}, { spfPass: true }, [REFUSED_PHISH, "notice refused, alarm"]],
  [
    "-R, a signature's word",
    SIGNED_PHISH,
    R,
    { spfPass: true },
    [REFUSED.replace("V1", "Email.Phishing.Bank-1"), "notice refused, alarm"],
  ],
  [
    "-R, no mark possible",
    PHISH,
    R,
    { spfPass: true, mayAddHeaders: false },
    [REFUSED_PHISH, "notice refused, alarm"],
  ],
  [
    "-R, a forged status would stay",
    PHISH,
    R,
    { spfPass: true, mayChangeHeaders: false, statusHeaders: 1 },
    [REFUSED_PHISH, "notice refused, alarm"],
  ],
  ["clean, -S", CLEAN, { sign: true }, {}, [VERSION, "+X-Virus-Status: Clean", "accept: clean", "sign"]],
  [
    "clean, -S, the body may not be changed",
    CLEAN,
    { sign: true },
    { mayChangeBody: false },
    [VERSION, "+X-Virus-Status: Clean", "accept: clean", ""],
  ],
  [
    "infected, -S -A",
    INFECTED,
    { ...A, sign: true },
    {},
    [...MARKED, "accept: delivered", "notice delivered, alarm"],
  ],
  [
    "oversize, tempfail",
    OVERSIZE,
    { onOversize: "tempfail", ...U },
    {},
    ["452 message is too large to be scanned for viruses: tempfailed", ""],
  ],
  [
    "oversize, reject",
    OVERSIZE,
    { onOversize: "reject", ...Q },
    {},
    ["552 message is too large to be scanned for viruses: rejected", ""],
  ],
  ["failed, every mode", FAILED, { ...Q, ...U, ...N, ...R, sign: true }, {}, ["tempfail: tempfailed", ""]],
  [
    "failed, -d, every mode",
    FAILED,
    { ...Q, ...U, ...N, acceptOnError: true, sign: true },
    {},
    ["+X-Virus-Status: Not Scanned", "accept: not scanned", ""],
  ],
];

test.each(ROWS.map((row) => [row[0], row] as const))("%s", (_title, [, scan, rules, facts, expected]) => {
  expect(plan(scan, rules, facts)).toEqual([...expected]);
});

test("texts from outside add no line and no second header", () => {
  const scan: ScanVerdict = { ...INFECTED, names: ["V\r\nBcc: x", "y".repeat(400)] };
  const facts = {
    ...FACTS,
    subject: "a\r\n b\nX-Evil: 1",
    recipients: ["<a\nX: y>", `<${"z".repeat(2000)}>`],
  };
  const { modifications } = planResponse(scan, { ...RULES, ...Q }, facts);
  for (const change of modifications) {
    if (change.kind === "addHeader" || change.kind === "changeHeader") {
      expect(change.value).not.toMatch(/[\0-\x1f]/);
      expect(change.value.length).toBeLessThan(950);
    }
  }
});

test("SPF is asked for heuristics only, and only with -R", () => {
  const rules = { ...RULES, ...R };
  expect(needsSpf(PHISH, rules)).toBe(true);
  expect(needsSpf(PHISH, RULES)).toBe(false);
  expect(needsSpf(SIGNED_PHISH, rules)).toBe(false);
  expect(needsSpf({ ...PHISH, names: ["Heuristics.Phishing.Email.X", "V1"] } as ScanVerdict, rules)).toBe(
    false,
  );
  expect(needsSpf(CLEAN, rules)).toBe(false);
});

describe("what is asked of the MTA", () => {
  const HEADERS = Action.addHeaders | Action.changeHeaders;
  test("no more than the options need", () => {
    expect(neededActions(RULES)).toBe(HEADERS);
    expect(neededActions({ ...RULES, addHeaders: false })).toBe(0);
    expect(neededActions({ ...RULES, addHeaders: false, ...A })).toBe(HEADERS);
    expect(neededActions({ ...RULES, ...Q })).toBe(HEADERS | Action.addRecipient | Action.deleteRecipient);
    expect(neededActions({ ...RULES, sign: true })).toBe(HEADERS | Action.changeBody);
  });

  test("what it refuses is told in words", () => {
    expect(lackingText(ALL_ACTIONS & HEADERS, RULES)).toBe(
      "the MTA does not let us add headers, change headers (headers stay as they are)",
    );
    expect(lackingText(Action.addRecipient, { ...RULES, ...Q, ...N })).toBe(
      "the MTA does not let us add recipients (--quarantine: infected mail is discarded instead)",
    );
    expect(lackingText(Action.changeBody, { ...RULES, sign: true })).toBe(
      "the MTA does not let us replace the body (--sign: mail gets no signature)",
    );
  });
});

describe("over every combination of modes and granted actions", () => {
  const flags = [false, true];
  function* all(): Generator<[ScanVerdict, ResponseRules, MessageFacts]> {
    for (const scan of [CLEAN, INFECTED, PHISH, OVERSIZE, FAILED])
      for (const mode of [{}, N, A, { ...A, ...N }, Q, { ...Q, ...N }, U, { ...U, ...N }, { ...Q, ...U }])
        for (const addHeaders of flags)
          for (const acceptOnError of flags)
            for (let granted = 0; granted < 32; granted++) {
              const may = (bit: number): boolean => (granted & bit) !== 0;
              const facts = {
                ...FACTS,
                statusHeaders: 2,
                mayAddHeaders: may(1),
                mayChangeHeaders: may(2),
                mayAddRecipients: may(4),
                mayDeleteRecipients: may(8),
                mayChangeBody: may(16),
              };
              yield [scan, { ...RULES, ...mode, addHeaders, acceptOnError, sign: true }, facts];
            }
  }

  test("infected mail reaches a recipient only with a mark and only with --advisory", () => {
    for (const [scan, rules, facts] of all()) {
      if (scan.kind !== "infected") continue;
      const { verdict, outcome, modifications } = planResponse(scan, rules, facts);
      if (verdict.kind !== "accept") continue;
      const changes = modifications.map(changeText);
      if (outcome === "delivered") {
        expect(rules.advisory).toBe(true);
        expect(changes.some((change) => change.startsWith("=Subject 1: [Virus] "))).toBe(true);
      } else {
        for (const recipient of facts.recipients) expect(changes).toContain(`-${recipient}`);
        expect(changes).toContain("+<virus@lab.example>");
      }
    }
  });

  test("nothing is done that was not granted", () => {
    for (const [scan, rules, facts] of all()) {
      const result = planResponse(scan, rules, facts);
      const kinds = new Set(result.modifications.map((change) => change.kind));
      if (!facts.mayAddHeaders) expect(kinds.has("addHeader")).toBe(false);
      if (!facts.mayChangeHeaders) expect(kinds.has("changeHeader")).toBe(false);
      if (!facts.mayAddRecipients) expect(kinds.has("addRecipient")).toBe(false);
      if (!facts.mayDeleteRecipients) expect(kinds.has("deleteRecipient")).toBe(false);
      if (!facts.mayChangeBody) expect(result.sign).toBe(false);
    }
  });
});
