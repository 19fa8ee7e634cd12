import { expect, test } from "bun:test";
import { IdleCollector } from "../../src/os/idle-collector.ts";

test("what work has left is collected once, when there was none for twenty seconds", () => {
  const collections: number[] = [];
  let now = 0;
  const collector = new IdleCollector(() => void collections.push(now));
  const pass = (seconds: number, work: (second: number) => number): void => {
    for (let second = 0; second < seconds; second++) {
      now += 1000;
      collector.tick(work(second), now);
    }
  };
  pass(100, () => 0);
  pass(100, (second) => 1 + Math.floor(second / 20));
  expect(collections).toEqual([]);
  pass(100, () => 5);
  expect(collections).toEqual([181_000 + 20_000]);
  pass(1, () => 6);
  pass(100, () => 6);
  expect(collections).toEqual([201_000, 301_000 + 20_000]);
});
