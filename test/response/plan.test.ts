import { describe, expect, test } from "bun:test";
import type { Modification } from "../../src/milter/replies.ts";
import { planResponse } from "../../src/response/plan.ts";
import type { MessageFacts, ResponsePlan, ResponseRules } from "../../src/response/rules.ts";
import type { ScanVerdict } from "../../src/scan/verdict.ts";
import { FACTS, RULES } from "./fixtures.ts";

const server = "s1";
const CLEAN: ScanVerdict = { kind: "clean", server, version: "ClamAV 1.4/27000/Sun" };
const INFECTED: ScanVerdict = { kind: "infected", names: ["V1", "V2"], server, version: "ClamAV 1.4" };
const OVERSIZE: ScanVerdict = { kind: "oversize", reason: "StreamMaxLength exceeded", server: null };
const FAILED: ScanVerdict = { kind: "failed", reason: "no memory", header: null, server };
const TIMEOUT: ScanVerdict = {
  kind: "failed",
  reason: "late",
  header: "Read timeout exceeded",
  server: null,
};

const scanned: Modification = {
  kind: "addHeader",
  name: "X-Virus-Scanned",
  value: "ClamAV version 1.4/27000/Sun, clamav-milter version 9 on h",
};
const status = (value: string): Modification => ({ kind: "addHeader", name: "X-Virus-Status", value });
const removed = (index: number): Modification => ({
  kind: "changeHeader",
  index,
  name: "X-Virus-Status",
  value: "",
});
const QUIETLY = { keep: false, notice: null, reports: [], alarm: false, sign: false } as const;
const accepted = (outcome: "clean" | "not scanned", ...modifications: Modification[]): ResponsePlan => ({
  modifications,
  verdict: { kind: "accept" },
  outcome,
  ...QUIETLY,
});
const REJECTED: ResponsePlan = {
  ...QUIETLY,
  notice: "refused",
  alarm: true,
  modifications: [],
  verdict: {
    kind: "reply",
    code: 554,
    enhanced: "5.7.1",
    lines: ["virus V1, V2 detected by ClamAV - http://www.clamav.net"],
  },
  outcome: "rejected",
};
const DISCARDED: ResponsePlan = {
  ...QUIETLY,
  notice: "discarded",
  alarm: true,
  modifications: [],
  verdict: { kind: "discard" },
  outcome: "discarded",
};
const TEMPFAILED: ResponsePlan = {
  ...QUIETLY,
  modifications: [],
  verdict: { kind: "tempfail" },
  outcome: "tempfailed",
};

type Row = readonly [
  title: string,
  scan: ScanVerdict,
  rules: Partial<ResponseRules>,
  facts: Partial<MessageFacts>,
  plan: ResponsePlan,
];

const ROWS: readonly Row[] = [
  ["clean", CLEAN, {}, {}, accepted("clean", scanned, status("Clean"))],
  ["clean, -n", CLEAN, { addHeaders: false }, { statusHeaders: 2 }, accepted("clean")],
  [
    "clean, -d and -N",
    CLEAN,
    { acceptOnError: true, discardInfected: true },
    {},
    accepted("clean", scanned, status("Clean")),
  ],
  [
    "clean, forged",
    CLEAN,
    {},
    { statusHeaders: 3 },
    accepted("clean", removed(3), removed(2), removed(1), scanned, status("Clean")),
  ],
  [
    "clean, forged, nothing may be changed",
    CLEAN,
    {},
    { statusHeaders: 1, mayChangeHeaders: false },
    accepted("clean", scanned, status("Clean")),
  ],
  [
    "clean, forged, nothing may be added",
    CLEAN,
    {},
    { statusHeaders: 1, mayAddHeaders: false },
    accepted("clean", removed(1)),
  ],
  [
    "clean, own blank",
    CLEAN,
    {},
    { leadingSpace: true },
    accepted("clean", { ...scanned, value: ` ${scanned.value}` } as Modification, status(" Clean")),
  ],
  ["clean, from MDaemon", CLEAN, {}, { fromMdaemon: true }, accepted("clean", scanned, status("Clean"))],
  ["infected", INFECTED, {}, {}, REJECTED],
  ["infected, -d", INFECTED, { acceptOnError: true }, {}, REJECTED],
  ["infected, -n", INFECTED, { addHeaders: false }, {}, REJECTED],
  [
    "infected, forged",
    INFECTED,
    {},
    { statusHeaders: 5, mayChangeHeaders: false, mayAddHeaders: false },
    REJECTED,
  ],
  ["infected, -N", INFECTED, { discardInfected: true }, {}, DISCARDED],
  ["infected, from MDaemon", INFECTED, {}, { fromMdaemon: true }, DISCARDED],
  ["oversize", OVERSIZE, {}, {}, accepted("not scanned", status("Not Scanned - StreamMaxLength exceeded"))],
  [
    "oversize, -n",
    OVERSIZE,
    { addHeaders: false },
    { statusHeaders: 1, mayChangeHeaders: false },
    accepted("not scanned"),
  ],
  [
    "oversize, forged",
    OVERSIZE,
    {},
    { statusHeaders: 1 },
    accepted("not scanned", removed(1), status("Not Scanned - StreamMaxLength exceeded")),
  ],
  [
    "oversize, forged, nothing may be changed",
    OVERSIZE,
    {},
    { statusHeaders: 1, mayChangeHeaders: false },
    TEMPFAILED,
  ],
  [
    "oversize, nothing may be changed",
    OVERSIZE,
    {},
    { mayChangeHeaders: false },
    accepted("not scanned", status("Not Scanned - StreamMaxLength exceeded")),
  ],
  ["failed", FAILED, {}, {}, TEMPFAILED],
  ["failed, -n and -N", FAILED, { addHeaders: false, discardInfected: true }, {}, TEMPFAILED],
  ["failed, from MDaemon", FAILED, {}, { fromMdaemon: true }, TEMPFAILED],
  ["failed, -d", FAILED, { acceptOnError: true }, {}, accepted("not scanned", status("Not Scanned"))],
  [
    "failed, -d, forged",
    FAILED,
    { acceptOnError: true },
    { statusHeaders: 2 },
    accepted("not scanned", removed(2), removed(1), status("Not Scanned")),
  ],
  [
    "failed, -d, forged, nothing may be changed",
    FAILED,
    { acceptOnError: true },
    { statusHeaders: 2, mayChangeHeaders: false },
    TEMPFAILED,
  ],
  ["failed, -d -n", FAILED, { acceptOnError: true, addHeaders: false }, {}, accepted("not scanned")],
  ["time-out", TIMEOUT, {}, {}, TEMPFAILED],
  [
    "time-out, -d",
    TIMEOUT,
    { acceptOnError: true },
    {},
    accepted("not scanned", status("Not Scanned - Read timeout exceeded")),
  ],
];

test.each(ROWS.map((row) => [row[0], row] as const))("%s", (_title, [, scan, rules, facts, plan]) => {
  expect(planResponse(scan, { ...RULES, ...rules }, { ...FACTS, ...facts })).toEqual(plan);
});

describe("over every combination", () => {
  const flags = [false, true];
  const all = function* (): Generator<[ScanVerdict, ResponseRules, MessageFacts]> {
    for (const scan of [CLEAN, INFECTED, OVERSIZE, FAILED, TIMEOUT])
      for (const addHeaders of flags)
        for (const acceptOnError of flags)
          for (const discardInfected of flags)
            for (const statusHeaders of [0, 1, 4])
              for (const fromMdaemon of flags)
                for (const mayAddHeaders of flags)
                  for (const mayChangeHeaders of flags) {
                    const rules = { ...RULES, addHeaders, acceptOnError, discardInfected };
                    yield [
                      scan,
                      rules,
                      { ...FACTS, statusHeaders, fromMdaemon, mayAddHeaders, mayChangeHeaders },
                    ];
                  }
  };
  const texts = (plan: ResponsePlan): string => JSON.stringify(plan.modifications);

  test("only a scanner's own word makes a message clean, and no virus is let through", () => {
    for (const [scan, rules, facts] of all()) {
      const plan = planResponse(scan, rules, facts);
      if (scan.kind !== "clean")
        expect([plan.outcome === "clean", texts(plan)]).toEqual([
          false,
          expect.not.stringContaining('Clean"'),
        ]);
      if (scan.kind === "infected") expect(plan.verdict.kind).toMatch(/^(reply|discard)$/);
      if (scan.kind === "failed" && !rules.acceptOnError) expect(plan.verdict.kind).toBe("tempfail");
    }
  });

  test("nothing is done that the MTA did not grant, or that -n forbids", () => {
    for (const [scan, rules, facts] of all()) {
      const kinds = planResponse(scan, rules, facts).modifications.map((change) => change.kind);
      if (!rules.addHeaders) expect(kinds).toEqual([]);
      if (!facts.mayAddHeaders) expect(kinds).not.toContain("addHeader");
      if (!facts.mayChangeHeaders) expect(kinds).not.toContain("changeHeader");
    }
  });

  test("a sender's status never stays beside an unscanned message of which we speak", () => {
    for (const [scan, rules, facts] of all()) {
      const plan = planResponse(scan, rules, facts);
      if (plan.outcome !== "not scanned" || !rules.addHeaders) continue;
      const removals = plan.modifications.filter((change) => change.kind === "changeHeader");
      expect(removals).toHaveLength(facts.statusHeaders);
    }
  });
});
