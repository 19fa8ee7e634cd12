import { expect, test } from "bun:test";
import { median, percentile, rateOf } from "../../scripts/benching/figures.ts";

test("a percentile is the nearest rank", () => {
  const hundred = Array.from({ length: 100 }, (_, at) => at + 1);
  expect(percentile(hundred, 0.5)).toBe(50);
  expect(percentile(hundred, 0.99)).toBe(99);
  expect(percentile(hundred, 1)).toBe(100);
  expect(percentile([7], 0.01)).toBe(7);
  expect(percentile([], 0.5)).toBeNaN();
});

test("the median of an even number is the mean of the two in the middle", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([])).toBeNaN();
});

test("a run that took no time has no rate", () => {
  expect(rateOf({ messages: 10, seconds: 2 })).toBe(5);
  expect(rateOf({ messages: 0, seconds: 0 })).toBe(0);
});
