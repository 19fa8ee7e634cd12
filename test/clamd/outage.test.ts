import { expect, test } from "bun:test";
import type { ScannerState } from "../../src/clamd/health.ts";
import { outageOf } from "../../src/clamd/outage.ts";
import { newRecord, type ServerRecord } from "../../src/clamd/server-state.ts";

function servers(...states: readonly ScannerState[]): ServerRecord[] {
  return states.map((state, at) => ({ ...newRecord(`s${at}`, 0), state }));
}

const CASES: readonly (readonly [readonly ScannerState[], number, string | null])[] = [
  [["up", "down"], 0, null],
  [["down", "blind"], 0, "began"],
  [["down"], 0, "began"],
  // One that only is silent may load its database.
  [["down", "busy"], 29_999, null],
  [["down", "busy"], 30_000, "began"],
  [[], 0, null],
];

test.each(CASES)("servers %p after %d ms: %p", (states, now, kind) => {
  expect(outageOf({ servers: servers(...states), outageSince: null }, now)?.kind ?? null).toBe(kind as never);
});

test("an outage that was told ends with the first server in use, and is not told again before", () => {
  const gone = { servers: servers("down", "busy"), outageSince: 1000 };
  expect(outageOf(gone, 90_000)).toBeNull();
  const back = { servers: servers("blind", "up"), outageSince: 1000 };
  expect(outageOf(back, 5000)).toEqual({ kind: "ended", server: "s1", lasted: 4000 });
});
