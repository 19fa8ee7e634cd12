import { expect, test } from "bun:test";
import { LoadTimer } from "../../src/supervisor/load-timer.ts";

const LONG = 60_000;

test("an engine that has lived long is replaced at once, one that dies young after ever longer pauses", () => {
  const timer = new LoadTimer(() => {});
  expect([timer.afterDeath(LONG), timer.afterDeath(5), timer.afterDeath(5)]).toEqual([0, 100, 200]);
  timer.cancel();
});

test("it loads once, however often it was set, and not when that was taken back", async () => {
  let loads = 0;
  const loaded = Promise.withResolvers<void>();
  const timer = new LoadTimer(() => {
    loads++;
    loaded.resolve();
  });
  timer.patiently();
  timer.cancel();
  expect(timer.pending).toBe(false);
  timer.patiently();
  timer.urgently();
  timer.afterDeath(LONG);
  expect(timer.pending).toBe(true);
  await loaded.promise;
  expect([loads, timer.pending]).toEqual([1, false]);
});
