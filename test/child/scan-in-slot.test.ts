import { expect, test } from "bun:test";
import { longestWait, scanInSlot } from "../../src/child/scan-in-slot.ts";
import { Slots } from "../../src/child/slots.ts";
import type { ScanVerdict } from "../../src/scan/verdict.ts";
import { settled } from "../clamd/fake-clamd.ts";

const CLEAN: ScanVerdict = { kind: "clean", server: "s", version: "v" };
const MINUTE = 60_000;

function lab(granted: number) {
  const state = { now: 0, scans: 0, cancelled: 0, over: 0 };
  const slots = new Slots({
    now: () => state.now,
    send: () => {},
    defer: () => {},
    after: () => {},
    onOver: () => {},
  });
  const hear = (grant: number, heard = 0): void =>
    slots.hear({ type: "slots", heard, grant, keep: null, rest: null, full: false });
  hear(granted);
  const verdict = Promise.withResolvers<ScanVerdict>();
  const job = (patience = 1000, dontWait = false) =>
    scanInSlot({
      slots,
      patience,
      dontWait,
      start: () => {
        state.scans++;
        return { verdict: verdict.promise, cancel: () => void state.cancelled++ };
      },
      onOver: () => void state.over++,
    });
  return { state, slots, hear, verdict, job };
}

test("with a slot at hand the scan begins at once, and the slot is back before its verdict is known", async () => {
  const { state, slots, verdict, job } = lab(1);
  const scan = job();
  expect([state.scans, slots.busy]).toEqual([1, 1]);
  verdict.resolve(CLEAN);
  expect(await scan.verdict).toEqual(CLEAN);
  expect([slots.busy, slots.idle]).toEqual([0, 1]);
});

test("a scan that throws gives its slot back, too", async () => {
  const { slots, verdict, job } = lab(1);
  const scan = job();
  verdict.reject(new Error("a fault"));
  expect(scan.verdict).rejects.toThrow("a fault");
  await settled();
  expect([slots.busy, slots.idle]).toEqual([0, 1]);
});

test("without one it begins when there is one", async () => {
  const { state, slots, hear, verdict, job } = lab(0);
  const scan = job();
  expect(state.scans).toBe(0);
  hear(1);
  await settled();
  expect(state.scans).toBe(1);
  verdict.resolve(CLEAN);
  expect(await scan.verdict).toEqual(CLEAN);
  expect(slots.idle).toBe(1);
});

test("when its patience is over it begins without, and gives back nothing", async () => {
  const { state, slots, verdict, job } = lab(0);
  const scan = job(1000);
  state.now = 1000;
  slots.tick();
  await settled();
  expect([state.scans, state.over, slots.busy]).toEqual([1, 1, 0]);
  verdict.resolve(CLEAN);
  expect(await scan.verdict).toEqual(CLEAN);
  expect(slots.idle).toBe(0);
});

test("given up while it waits: it never begins", async () => {
  const { state, slots, hear, job } = lab(0);
  job().cancel();
  hear(1);
  await settled();
  expect([state.scans, slots.idle, slots.busy]).toEqual([0, 1, 0]);
});

test("given up in the moment in which it got its slot: it never begins, and the slot is back", async () => {
  const { state, slots, hear, job } = lab(0);
  const scan = job();
  hear(1);
  expect(slots.busy).toBe(1);
  scan.cancel();
  await settled();
  expect([state.scans, slots.idle, slots.busy]).toEqual([0, 1, 0]);
});

test("given up in scanning: the scan is, and the slot is back at once", () => {
  const { state, slots, job } = lab(1);
  const scan = job();
  scan.cancel();
  scan.cancel();
  expect([state.cancelled > 0, slots.idle, slots.busy]).toEqual([true, 1, 0]);
});

test("--dont-wait: none is free, there is no scan and no verdict", async () => {
  const { state, slots } = lab(0);
  const sent: number[] = [];
  const asking = new Slots({
    now: () => state.now,
    send: ({ turn }) => void sent.push(turn),
    defer: (work) => work(),
    after: () => {},
    onOver: () => {},
  });
  const start = () => {
    throw new Error("it must not begin");
  };
  const scan = scanInSlot({ slots: asking, patience: 1000, dontWait: true, start, onOver: () => {} });
  expect(sent).toEqual([1]);
  asking.hear({ type: "slots", heard: 1, grant: 0, keep: null, rest: 0, full: true });
  expect(await scan.verdict).toBeNull();
  expect(slots.busy).toBe(0);
});

test("--dont-wait and a supervisor that does not answer: it goes on after 5 s", async () => {
  const { state, slots, job } = lab(0);
  job(1, true);
  state.now = 4999;
  slots.tick();
  await settled();
  expect(state.scans).toBe(0);
  state.now = 5000;
  slots.tick();
  await settled();
  expect([state.scans, state.over]).toEqual([1, 1]);
});

test.each([
  ["--timeout is shorter than what the budget leaves", 270_000, 30_000, 30_000],
  ["the default: 300 s are more than 270 s less 120 s for the scan", 270_000, 300_000, 150_000],
  ["no limit of its own", 270_000, 0, 150_000],
  ["a small budget is halved", MINUTE, 0, 30_000],
  ["a large one leaves 120 s", 10 * MINUTE, 0, 8 * MINUTE],
])("the longest wait: %s", (_, budget, timeout, wait) => {
  expect(longestWait(budget, timeout)).toBe(wait);
});
