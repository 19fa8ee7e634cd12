import { expect, test } from "bun:test";
import { nearMiss } from "../../src/cli/near-miss.ts";

const NAMES = ["external", "local", "LocalSocket", "MaxThreads", "sign"];

const CASES: readonly (readonly [string, string | null])[] = [
  ["extrenal", "external"],
  ["externl", "external"],
  ["LOCAL", "local"],
  ["Localsocket", "LocalSocket"],
  ["MaxThread", "MaxThreads"],
  ["singn", "sign"],
  ["sgin", "sign"],
  ["something", null],
  ["", null],
  ["x".repeat(10_000), null],
];
test.each(CASES)("%p is taken for %p", (typed, meant) => {
  expect(nearMiss(typed, NAMES)).toBe(meant);
});
