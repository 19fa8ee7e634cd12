import { expect, test } from "bun:test";
import { canaryPause, lookPause } from "../../src/clamd/look-plan.ts";
import { newRecord } from "../../src/clamd/server-state.ts";

test("one that is well is looked at every five seconds or so, one that is away more and more seldom", () => {
  expect(lookPause(0, 0)).toBe(5000);
  expect(lookPause(0, 1)).toBe(4000);
  expect([1, 2, 3, 4, 5, 6, 1000].map((failures) => lookPause(failures, 0))).toEqual([
    100, 200, 400, 800, 1000, 1000, 1000,
  ]);
  // So that mail flows within two seconds of its return.
  expect(lookPause(1_000_000, 0)).toBe(1000);
});

test("a blind one is tested more and more seldom, a minute apart at most", () => {
  const pause = (failures: number): number =>
    canaryPause({ ...newRecord("a", 0), state: "blind", failures }, 0, 3600);
  expect([1, 2, 3, 5, 6, 100].map(pause)).toEqual([2000, 4000, 8000, 32_000, 60_000, 60_000]);
});

test("in peace the period counts; a test that showed nothing is made again sooner", () => {
  const up = newRecord("a", 0);
  expect(canaryPause(up, 0, 3600)).toBe(3_600_000);
  expect([1, 2, 5, 50].map((tries) => canaryPause(up, tries, 3600))).toEqual([5000, 10_000, 60_000, 60_000]);
  expect(canaryPause(up, 3, 2)).toBe(2000);
  expect(canaryPause(up, 0, 0)).toBe(Number.POSITIVE_INFINITY);
});
