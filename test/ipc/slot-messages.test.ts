import { expect, test } from "bun:test";
import { checkFromRole, checkToChild } from "../../src/ipc/messages.ts";

const REPORT = { type: "slots", turn: 1, back: 0, need: 2 } as const;

test("a child's report: every field is looked at, and nothing else is taken over", () => {
  expect(checkFromRole(REPORT)).toEqual(REPORT);
  expect(checkFromRole({ ...REPORT, capacity: 99 })).toEqual(REPORT);
});

test.each([
  { ...REPORT, turn: 0 },
  { ...REPORT, turn: "1" },
  { ...REPORT, turn: 1.5 },
  { ...REPORT, back: -1 },
  { ...REPORT, back: null },
  { ...REPORT, need: 1e9 },
  { ...REPORT, need: Number.NaN },
  { type: "slots" },
])("%j is none", (message) => {
  expect(checkFromRole(message)).toBeNull();
});

test("the supervisor's word is known to children", () => {
  const word = { type: "slots", heard: 0, grant: 1, keep: null, rest: null, full: false };
  expect(checkToChild(word)).toMatchObject(word);
});
