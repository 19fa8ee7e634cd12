import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { Blacklist, MOST_LISTED } from "../../src/policy/blacklist.ts";

describe("a blacklist", () => {
  test("an entry lives its time, to the millisecond", () => {
    const list = new Blacklist();
    expect(list.add("192.0.2.1", 1060, 1000)).toBe(true);
    expect([list.has("192.0.2.1", 1059), list.has("192.0.2.1", 1060), list.has("192.0.2.2", 1000)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test("further infected mail makes it longer, and is no news", () => {
    const list = new Blacklist();
    list.add("a", 100, 0);
    expect(list.add("a", 150, 50)).toBe(false);
    expect(list.has("a", 149)).toBe(true);
    expect(list.add("a", 300, 200)).toBe(true);
  });

  test("has its bound: the oldest goes", () => {
    const list = new Blacklist(3);
    for (const [at, address] of ["a", "b", "c", "a", "d"].entries()) list.add(address, 100 + at, at);
    expect([...list.entries()].map(([address]) => address)).toEqual(["c", "a", "d"]);
  });

  test("forgets whose time is over", () => {
    const list = new Blacklist();
    for (let at = 0; at < 10; at++) list.add(String(at), 10 + at, at);
    list.forgetOld(15);
    expect([list.size, list.remove("9"), list.remove("0"), list.size]).toEqual([4, true, false, 3]);
  });
});

test("200,000 entries: little memory, and no time to look one up", () => {
  const list = new Blacklist();
  const address = (at: number): string =>
    at % 2 === 0
      ? `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`
      : `2001:db8:0:${(at >> 8).toString(16)}::${at & 255}`;
  Bun.gc(true);
  const before = heapStats().heapSize;
  for (let at = 0; at < MOST_LISTED + 1000; at++) list.add(address(at), 1e6 + at, at);
  Bun.gc(true);
  const megabytes = (heapStats().heapSize - before) / 1e6;
  const started = performance.now();
  let found = 0;
  for (let at = 0; at < 100_000; at++) if (list.has(address(at * 3), 1000)) found++;
  const microseconds = ((performance.now() - started) * 1000) / 100_000;
  console.log(
    `blacklist: ${list.size} entries, ${megabytes.toFixed(1)} MB, ${microseconds.toFixed(2)} µs a look-up`,
  );
  expect([list.size, found > 60_000]).toEqual([MOST_LISTED, true]);
  expect(megabytes).toBeLessThan(100);
  expect(microseconds).toBeLessThan(100);
});
