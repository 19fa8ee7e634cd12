import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { newRecord, type Observation, observe, type ServerRecord } from "../../src/clamd/server-state.ts";

const FOUND: Observation = { kind: "canary", found: true };
const MISSED: Observation = { kind: "canary", found: false };
const UNREACHABLE: Observation = { kind: "unreachable", why: "refused" };
const SILENT: Observation = { kind: "silent" };
const ANSWERS: Observation = { kind: "answers" };

/** The record after all of these, one a second, and what was told meanwhile. */
function after(...seen: readonly Observation[]): { record: ServerRecord; told: string[] } {
  let record = newRecord("a", 0);
  const told: string[] = [];
  for (const [at, each] of seen.entries()) {
    const observed = observe(record, each, (at + 1) * 1000);
    record = observed.record;
    for (const event of observed.events)
      told.push(event.kind === "changed" ? `${event.from}-${event.to}` : event.kind);
  }
  return { record, told };
}

describe("what is told, once per change", () => {
  test.each([
    [
      "refused again and again, then back",
      [UNREACHABLE, UNREACHABLE, UNREACHABLE, ANSWERS],
      ["up-down", "down-up"],
    ],
    ["silent, then gone", [SILENT, SILENT, UNREACHABLE, ANSWERS], ["up-busy", "busy-down", "down-up"]],
    ["blind after it has found", [FOUND, MISSED, MISSED, FOUND], ["up-blind", "blind-up"]],
    ["comes back blind", [FOUND, UNREACHABLE, MISSED], ["up-down", "down-blind"]],
    [
      "never finds: a warning, once",
      [MISSED, MISSED, UNREACHABLE, MISSED],
      ["unproven", "up-down", "down-up"],
    ],
    ["never found, then found, then not", [MISSED, FOUND, MISSED], ["unproven", "up-blind"]],
    ["first seen as it comes back", [SILENT, MISSED], ["up-busy", "busy-up", "unproven"]],
    ["all is well", [ANSWERS, FOUND, ANSWERS, FOUND], []],
  ])("%s", (_what, seen, told) => {
    expect(after(...seen).told).toEqual([...told]);
  });

  test("a return tells how long it was away, and how often it was looked at in vain", () => {
    const { record } = after(UNREACHABLE, UNREACHABLE, UNREACHABLE);
    expect(observe(record, ANSWERS, 7500).events).toEqual([
      { kind: "changed", from: "down", to: "up", why: "", lasted: 6500, failures: 3 },
    ]);
  });

  test("whether it takes descriptors is kept over everything else", () => {
    const { record } = after({ kind: "passing", works: true }, FOUND, UNREACHABLE, ANSWERS);
    expect(record).toMatchObject({ passing: true, state: "up", proven: true });
  });
});

const observations = fc.oneof(
  fc.constantFrom(UNREACHABLE, SILENT, ANSWERS),
  fc.boolean().map((found): Observation => ({ kind: "canary", found })),
  fc.boolean().map((works): Observation => ({ kind: "passing", works })),
);

test("blind is never left but by a test virus that is found, and never entered unproven", () => {
  fc.assert(
    fc.property(fc.array(observations, { maxLength: 60 }), (seen) => {
      let record = newRecord("a", 0);
      let proven = false;
      for (const [at, each] of seen.entries()) {
        const before = record.state;
        record = observe(record, each, at).record;
        const found = each.kind === "canary" && each.found;
        if (before === "blind" && record.state !== "blind") expect(found).toBe(true);
        if (before !== "blind" && record.state === "blind")
          expect([proven, each.kind === "canary" && !each.found]).toEqual([true, true]);
        if (found) expect(record.state).toBe("up");
        proven ||= found;
      }
    }),
  );
});
