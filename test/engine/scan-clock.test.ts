import { expect, test } from "bun:test";
import { scanByOwnClock, TIME_NAME } from "../../src/engine/scan-clock.ts";
import { type ScanOutcome, scanText } from "../../src/engine/scan-text.ts";

const LIMIT = 120_000;
const FOUND: ScanOutcome = { status: 1, name: "Some.Virus", words: "Virus(es) detected" };
const TOO_LONG: ScanOutcome = { status: 1, name: TIME_NAME, words: "Virus(es) detected" };
const TIMED_OUT: ScanOutcome = { status: 21, name: null, words: "Exceeded time limit" };

/** Scans that take a time and come to an end, one after the other. */
function scans(...plan: readonly (readonly [took: number, outcome: ScanOutcome])[]) {
  let time = 5_000;
  let count = 0;
  const scan = (): ScanOutcome => {
    const [took, outcome] = plan[Math.min(count++, plan.length - 1)] ?? [0, FOUND];
    time += took;
    return outcome;
  };
  return { text: () => scanText(scanByOwnClock(scan, () => time, LIMIT)), count: () => count };
}

test("what the limit has ended in its time is that", () => {
  for (const outcome of [TOO_LONG, TIMED_OUT]) {
    const { text, count } = scans([LIMIT, outcome]);
    expect([text(), count()]).toEqual([scanText(outcome), 1]);
  }
});

test("a clock that was set forward ends a scan before its time: the message is scanned again", () => {
  for (const outcome of [TOO_LONG, TIMED_OUT]) {
    const { text, count } = scans([20, outcome], [20, FOUND]);
    expect([text(), count()]).toEqual(["Some.Virus FOUND", 2]);
  }
});

test("a clock that goes on leaping: an error, for nothing is known of the message", () => {
  const { text, count } = scans([20, TOO_LONG]);
  expect([text(), count()]).toEqual(["The clock is set again and again ERROR", 3]);
});

test("without a limit there is nothing to compare", () => {
  let count = 0;
  const scan = (): ScanOutcome => {
    count++;
    return TOO_LONG;
  };
  expect(scanByOwnClock(scan, () => 0, 0)).toEqual(TOO_LONG);
  expect(count).toBe(1);
});
