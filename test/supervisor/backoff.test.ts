import { describe, expect, test } from "bun:test";
import { countYoungDeaths, reloadPause, respawnPause } from "../../src/supervisor/backoff.ts";

describe("the pause before a child is replaced", () => {
  test.each([
    [0, 0],
    [1, 100],
    [2, 200],
    [3, 400],
    [9, 25_600],
    [10, 30_000],
    [11, 30_000],
    [5000, 30_000],
  ])("after %d young deaths: %d ms", (deaths, pause) => {
    expect(respawnPause(deaths)).toBe(pause);
  });
});

describe("the pause before a database is loaded again beside the one in use", () => {
  test.each([
    [1, 1000],
    [2, 4000],
    [3, 16_000],
    [6, 1_024_000],
    [7, 3_600_000],
    [500, 3_600_000],
  ])("after %d deaths: %d ms", (deaths, pause) => {
    expect(reloadPause(deaths)).toBe(pause);
  });
});

describe("young deaths in a row", () => {
  test.each([
    [0, 0, 1],
    [4, 9999, 5],
    [4, 10_000, 0],
    [0, 3_600_000, 0],
  ])("%d before, one that lived %d ms: %d", (before, lived, after) => {
    expect(countYoungDeaths(before, lived)).toBe(after);
  });

  test("a child that dies at once each time is started ever more slowly", () => {
    let deaths = 0;
    let waited = 0;
    for (let round = 0; round < 20; round++) {
      deaths = countYoungDeaths(deaths, 5);
      waited += respawnPause(deaths);
    }
    expect(waited).toBeGreaterThan(300_000);
  });
});
