import { expect, test } from "bun:test";
import { excuses } from "../../scripts/soaking/excuses.ts";
import {
  afterWarmUp,
  growsTooMuch,
  latencies,
  type Point,
  percentile,
  slopeByMinute,
} from "../../scripts/soaking/figures.ts";
import { type Expected, type Judgement, judge, NO_EXCUSE, type Seen } from "../../scripts/soaking/judge.ts";
import { readOrder } from "../../scripts/soaking/order.ts";
import { planFaults } from "../../scripts/soaking/plan.ts";
import { chanceFrom } from "../../scripts/soaking/random.ts";
import { nextSample } from "../../scripts/soaking/samples.ts";
import { seenOf } from "../../scripts/soaking/sender.ts";
import type { FilterReply } from "../../src/milter/mta-codec.ts";
import type { Modification } from "../../src/milter/replies.ts";

const CLEAN: Expected = { kind: "clean", forged: 0 };
const INFECTED: Expected = { kind: "infected", name: "Some.Virus" };
const MARKS: Modification[] = [
  { kind: "addHeader", name: "X-Virus-Scanned", value: " ClamAV version 1" },
  { kind: "addHeader", name: "X-Virus-Status", value: " Clean" },
];
const REFUSED = "554 5.7.1 virus Some.Virus detected by ClamAV - http://www.clamav.net";

function answered(verdict: FilterReply, modifications: readonly Modification[] = []): Seen {
  return { kind: "answered", outcome: { stage: "endOfBody", verdict, modifications, progress: 0 } };
}

function kindOf(expected: Expected, seen: Seen, excuse = NO_EXCUSE): Judgement["kind"] {
  return judge(expected, seen, excuse).kind;
}

function line(values: readonly number[]): Point[] {
  return values.map((value, at) => ({ at: at * 5, value }));
}

test("percentiles", () => {
  const values = [5, 1, 4, 2, 3];
  expect([0, 0.5, 0.99, 1].map((share) => percentile(values, share))).toEqual([1, 3, 5, 5]);
  expect(percentile([], 0.5)).toBe(0);
});

test("latencies are bounded in memory, and the highest is never lost", () => {
  const some = latencies(10);
  for (let at = 1; at <= 1000; at++) some.add(at);
  expect(some.text()).toEndWith("/1000");
  some.clear();
  expect(some.text()).toBe("0/0/0");
});

test("the slope of a line is its growth in a minute, whatever the start", () => {
  expect(slopeByMinute(line([100, 101, 102, 103]))).toBeCloseTo(12);
  expect(slopeByMinute(line([7, 7, 7]))).toBe(0);
  expect(slopeByMinute(line([7]))).toBe(0);
  expect(afterWarmUp(line([1, 2, 3]), 5).map(({ value }) => value)).toEqual([2, 3]);
});

test("growth: a leak is told, a saw-tooth and a short run are none", () => {
  const bound = { share: 0.25, least: 20 };
  const leak = Array.from({ length: 60 }, (_, at) => 100 + at);
  const teeth = Array.from({ length: 60 }, (_, at) => 100 + (at % 10) * 8);
  expect(growsTooMuch(line(leak), bound)).toBe(true);
  expect(growsTooMuch(line(teeth), bound)).toBe(false);
  expect(growsTooMuch(line(leak.slice(0, 10)), bound)).toBe(false);
});

test("an infected message: nothing but its refusal is right", () => {
  expect(kindOf(INFECTED, answered({ kind: "replyCode", text: REFUSED }))).toBe("right");
  const all = { ...NO_EXCUSE, lost: true, deferred: true, deferredInfected: true };
  expect(kindOf(INFECTED, answered({ kind: "accept" }, MARKS), all)).toBe("wrong");
  expect(kindOf(INFECTED, answered({ kind: "accept" }), all)).toBe("wrong");
  expect(kindOf(INFECTED, answered({ kind: "discard" }), all)).toBe("wrong");
  const other = REFUSED.replace("Some.Virus", "Other");
  expect(kindOf(INFECTED, answered({ kind: "replyCode", text: other }), all)).toBe("wrong");
});

test("a clean message: accepted with exactly one mark, and without the marks that it brought", () => {
  expect(kindOf(CLEAN, answered({ kind: "accept" }, MARKS))).toBe("right");
  expect(kindOf(CLEAN, answered({ kind: "accept" }))).toBe("wrong");
  expect(kindOf(CLEAN, answered({ kind: "accept" }, [...MARKS, ...MARKS]))).toBe("wrong");
  expect(kindOf(CLEAN, answered({ kind: "replyCode", text: REFUSED }))).toBe("wrong");
  const removal: Modification = { kind: "changeHeader", index: 1, name: "X-Virus-Status", value: "" };
  const forged: Expected = { kind: "clean", forged: 1 };
  expect(kindOf(forged, answered({ kind: "accept" }, MARKS))).toBe("wrong");
  expect(kindOf(forged, answered({ kind: "accept" }, [removal, ...MARKS]))).toBe("right");
});

test("temporary failures: only where a fault explains them", () => {
  const deferral = answered({ kind: "tempfail" });
  const lost: Seen = { kind: "lost", why: "closed" };
  expect(kindOf(CLEAN, deferral)).toBe("wrong");
  expect(kindOf(CLEAN, deferral, { ...NO_EXCUSE, deferred: true })).toBe("deferred");
  expect(kindOf(CLEAN, deferral, { ...NO_EXCUSE, deferredInfected: true })).toBe("wrong");
  expect(kindOf(INFECTED, deferral, { ...NO_EXCUSE, deferredInfected: true })).toBe("deferred");
  expect(kindOf(CLEAN, lost)).toBe("wrong");
  expect(kindOf(CLEAN, lost, { ...NO_EXCUSE, lost: true })).toBe("lost");
  expect(kindOf(CLEAN, { kind: "silent", why: "" }, { ...NO_EXCUSE, lost: true })).toBe("wrong");
});

test("what a failure of the connexion means", () => {
  expect(seenOf(new Error("no answer within 10000 ms")).kind).toBe("silent");
  expect(seenOf(new Error("the filter closed the connexion")).kind).toBe("lost");
  expect(seenOf(new Error("addHeader was not negotiated")).kind).toBe("broken");
});

test("an excuse holds for what lived while its fault did, and a little after", () => {
  let now = 1000;
  const all = excuses(() => now);
  const over = all.begin({ ...NO_EXCUSE, lost: true }, 500);
  now = 2000;
  over();
  expect(all.between(0, 999).lost).toBe(false);
  expect(all.between(0, 1000).lost).toBe(true);
  expect(all.between(2500, 3000).lost).toBe(true);
  expect(all.between(2501, 3000)).toEqual(NO_EXCUSE);
});

test("the same seed gives the same faults and messages, another seed others", () => {
  const names = Array.from({ length: 12 }, (_, at) => `fault ${at}`);
  const first = (seed: number) => planFaults(names, seed).take(40).toArray();
  expect(first(5)).toEqual(first(5));
  expect(first(5)).not.toEqual(first(6));
  const round = first(5).flatMap((step) => step.names);
  expect(new Set(round.slice(0, 12))).toEqual(new Set(names));
  expect(planFaults([], 1).toArray()).toEqual([]);
  const mix = { infected: 0.5, largest: 50_000, limit: 60_000 };
  const sample = (seed: number) => nextSample(chanceFrom(seed), "Q1", mix);
  expect(sample(3)).toEqual(sample(3));
  expect(sample(3).mail.body).not.toEqual(sample(4).mail.body);
});

test("messages are of every kind, and none is larger than it may be unless it is meant to be", () => {
  const chance = chanceFrom(1);
  const mix = { infected: 0.3, largest: 50_000, limit: 80_000 };
  const all = Array.from({ length: 800 }, (_, at) => nextSample(chance, `Q${at}`, mix));
  expect(new Set(all.map(({ expected }) => expected.kind))).toEqual(
    new Set(["clean", "infected", "oversize"]),
  );
  for (const { mail, expected } of all) {
    if (expected.kind === "oversize") expect(mail.body.length).toBeGreaterThan(mix.limit);
    else expect(mail.body.length).toBeLessThan(mix.largest + 2_000);
  }
  expect(all.some(({ mail }) => mail.body.length === 0)).toBe(true);
});

test("the command line", () => {
  const words = ["--minutes", "0.5", "--seed=7", "--internal"];
  expect(readOrder(words, "soak", 1)).toMatchObject({ minutes: 0.5, seed: 7, modes: ["internal"] });
  expect(readOrder([], "soak", 9)).toMatchObject({ minutes: 60, seed: 9, modes: ["external", "internal"] });
  expect(() => readOrder(["--minuets", "1"], "soak", 1)).toThrow("usage: scripts/soak");
  expect(() => readOrder(["--minutes", "-1"], "soak", 1)).toThrow("out of range");
});
