import { expect, test } from "bun:test";
import { orderOf } from "../../scripts/benching/rounds.ts";

test("each round begins with another target, every second one goes backwards", () => {
  expect(orderOf(["a", "b", "c"], 0)).toEqual(["a", "b", "c"]);
  expect(orderOf(["a", "b", "c"], 1)).toEqual(["a", "c", "b"]);
  expect(orderOf(["a", "b", "c"], 2)).toEqual(["c", "a", "b"]);
  expect(orderOf([], 3)).toEqual([]);
});

test("every target takes part in every round", () => {
  for (let round = 0; round < 12; round++) expect(orderOf([1, 2, 3, 4], round).sort()).toEqual([1, 2, 3, 4]);
});
