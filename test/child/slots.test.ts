import { describe, expect, test } from "bun:test";
import { Slots } from "../../src/child/slots.ts";
import type { SlotReport, SlotWord } from "../../src/ipc/slot-messages.ts";

/** A child's slots with the clock, the wire and the supervisor in the test's hands. */
function lab() {
  const sent: Omit<SlotReport, "type">[] = [];
  const deferred: (() => void)[] = [];
  const timers: { readonly at: number; readonly work: () => void }[] = [];
  const state = { now: 0, over: 0 };
  const slots = new Slots({
    now: () => state.now,
    send: ({ turn, back, need }) => void sent.push({ turn, back, need }),
    defer: (work) => void deferred.push(work),
    after: (delay, work) => void timers.push({ at: state.now + delay, work }),
    onOver: () => void state.over++,
  });
  const hear = (word: Partial<SlotWord>): void =>
    slots.hear({ type: "slots", heard: 0, grant: 0, keep: null, rest: null, full: false, ...word });
  /** The turn ends; what was said in it. */
  const told = () => {
    for (const work of deferred.splice(0)) work();
    return sent.splice(0);
  };
  const claim = (patience = 1000, dontWait = false) => slots.claim({ patience, dontWait });
  /** Time goes by, a millisecond at a time. */
  const pass = (milliseconds: number) => {
    for (const end = state.now + milliseconds; state.now < end; ) {
      state.now++;
      for (const { work } of timers.splice(0).filter((timer) => timer.at <= state.now || !timers.push(timer)))
        work();
    }
  };
  return { slots, state, timers, hear, told, claim, pass };
}

describe("slots that are here", () => {
  test("are taken at once and stay here when they come back; the supervisor hears of the last one only", () => {
    const { slots, hear, told, claim } = lab();
    hear({ grant: 2 });
    const first = claim();
    expect([first.passage, told()]).toEqual(["slot", []]);
    const second = claim();
    expect([second.passage, told()]).toEqual(["slot", [{ turn: 1, back: 0, need: 2 }]]);
    first.release();
    second.release();
    second.release();
    expect([slots.idle, slots.busy, told()]).toEqual([2, 0, []]);
    for (let round = 0; round < 10; round++) claim().release();
    expect([claim(), claim()].map(({ passage }) => passage)).toEqual(["slot", "slot"]);
    // The supervisor knows that both can be used.
    expect(told()).toEqual([]);
  });

  test("go to those that wait, in the order in which they came", () => {
    const { hear, told, claim } = lab();
    hear({ grant: 1 });
    const running = claim();
    const waiting = [claim(), claim()];
    expect(told()).toEqual([{ turn: 1, back: 0, need: 3 }]);
    expect(waiting.map(({ passage }) => passage)).toEqual([null, null]);
    running.release();
    expect(waiting.map(({ passage }) => passage)).toEqual(["slot", null]);
    hear({ grant: 1 });
    expect(waiting.map(({ passage }) => passage)).toEqual(["slot", "slot"]);
    expect(told()).toEqual([]);
  });

  test("how many they are is told again when it has changed by an eighth, and not more often than ten times a second", () => {
    const { hear, state, told, claim } = lab();
    hear({ grant: 1, keep: 1 });
    const waiting = Array.from({ length: 16 }, () => claim());
    expect(told()).toEqual([{ turn: 1, back: 0, need: 16 }]);
    state.now += 100;
    claim();
    expect(told()).toEqual([]);
    claim();
    expect(told()).toEqual([{ turn: 2, back: 0, need: 18 }]);
    state.now += 99;
    for (const each of waiting.slice(8)) each.release();
    waiting[0]?.release();
    expect(told()).toEqual([]);
    state.now += 1;
    waiting[1]?.release();
    expect(told()).toEqual([{ turn: 3, back: 0, need: 8 }]);
  });

  test("what came too soon after a report is told later, even if nothing happens any more", () => {
    const { slots, hear, state, told, claim } = lab();
    hear({ grant: 1, keep: 1 });
    claim();
    claim();
    expect(told()).toEqual([{ turn: 1, back: 0, need: 2 }]);
    for (let count = 0; count < 100; count++) claim(60_000);
    expect(told()).toEqual([]);
    state.now += 1000;
    slots.tick();
    expect(told()).toEqual([{ turn: 2, back: 0, need: 102 - 1 }]);
  });

  test("a message that is given up while it waits is passed over", async () => {
    const { slots, hear, claim } = lab();
    const [first, second] = [claim(), claim()];
    first?.release();
    hear({ grant: 1 });
    expect([first?.passage, second?.passage, slots.waiting]).toEqual([null, "slot", 0]);
    expect(await second?.settled).toBe("slot");
  });
});

describe("the supervisor's word", () => {
  test("idle ones are recalled", () => {
    const { slots, hear, told, claim } = lab();
    hear({ grant: 3 });
    const running = claim();
    hear({ rest: 0 });
    expect([slots.idle, told()]).toEqual([0, [{ turn: 1, back: 2, need: 1 }]]);
    running.release();
    expect(told()).toEqual([{ turn: 2, back: 1, need: 0 }]);
    hear({});
    expect(told()).toEqual([]);
  });

  test("one that is used again and again does not go back; one goes when it has lain unused for as long as it may", () => {
    const { slots, timers, hear, told, claim, pass } = lab();
    hear({ grant: 3, rest: 5 });
    for (let round = 0; round < 10; round++) {
      claim().release();
      pass(1);
      claim().release();
      expect(timers.length).toBe(1);
      expect([slots.idle, told()]).toEqual(
        round < 4 ? [3, []] : [1, round === 4 ? [{ turn: 1, back: 2, need: 0 }] : []],
      );
    }
    pass(4);
    expect([slots.idle, told()]).toEqual([1, []]);
    pass(1);
    expect([slots.idle, told()]).toEqual([0, [{ turn: 2, back: 1, need: 0 }]]);
  });

  test("each goes back when its own time is up", () => {
    const { slots, hear, told, claim, pass } = lab();
    hear({ grant: 2, rest: 5 });
    const [first, second] = [claim(), claim()];
    told();
    first?.release();
    pass(3);
    second?.release();
    pass(1);
    expect(slots.idle).toBe(2);
    pass(1);
    expect(slots.idle).toBe(1);
    pass(2);
    expect(slots.idle).toBe(1);
    pass(1);
    expect(slots.idle).toBe(0);
  });

  test("one that has lain unused for long goes back at once when others wait, and the clock is not looked at for nothing", () => {
    const { slots, state, timers, hear, told, claim, pass } = lab();
    hear({ grant: 3 });
    pass(10);
    const running = claim();
    running.release();
    expect(timers).toEqual([]);
    hear({ rest: 5 });
    expect([slots.idle, told()]).toEqual([1, [{ turn: 1, back: 2, need: 0 }]]);
    expect(timers.map(({ at }) => at)).toEqual([state.now + 5]);
    hear({ rest: null });
    pass(10);
    expect([slots.idle, told(), timers]).toEqual([1, [], []]);
  });

  test("above its share a child parts with a slot though it has messages that wait", () => {
    const { slots, hear, told, claim } = lab();
    hear({ grant: 2 });
    const running = [claim(), claim()];
    const waiting = [claim(), claim()];
    told();
    hear({ keep: 1, rest: 0 });
    expect(told()).toEqual([]);
    running[0]?.release();
    expect(told()).toEqual([{ turn: 2, back: 1, need: 3 }]);
    running[1]?.release();
    expect([waiting[0]?.passage, waiting[1]?.passage, slots.busy]).toEqual(["slot", null, 1]);
  });

  test("a slot that is to go on to another child has one message here before", () => {
    const { hear, told, claim } = lab();
    const [first, second] = [claim(), claim()];
    told();
    hear({ grant: 1, keep: 0, rest: 0 });
    expect([first?.passage, told()]).toEqual(["slot", []]);
    first?.release();
    expect([second?.passage, told()]).toEqual([null, [{ turn: 2, back: 1, need: 1 }]]);
  });
});

describe("patience", () => {
  test("when it is over, the message goes on without a slot, whatever the supervisor does", async () => {
    const { slots, state, claim, told } = lab();
    const [short, long] = [claim(1000), claim(5000)];
    state.now = 999;
    slots.tick();
    expect(short?.passage).toBeNull();
    state.now = 1000;
    slots.tick();
    expect([short?.passage, long?.passage, slots.busy, slots.waiting]).toEqual(["over", null, 0, 1]);
    short?.release();
    expect([slots.idle, told()]).toEqual([0, [{ turn: 1, back: 0, need: 1 }]]);
    expect(await short?.settled).toBe("over");
  });

  test("that the limit is exceeded is told once, and again after a message has found a slot at once", () => {
    const { slots, state, hear, claim } = lab();
    claim();
    claim();
    state.now = 2000;
    slots.tick();
    claim();
    state.now = 4000;
    slots.tick();
    expect(state.over).toBe(1);
    hear({ grant: 1 });
    claim();
    claim();
    state.now = 6000;
    slots.tick();
    expect(state.over).toBe(2);
  });
});

describe("--dont-wait", () => {
  test("each message is asked for, and the answer is to it", () => {
    const { slots, hear, told, claim } = lab();
    hear({ rest: 0 });
    const first = claim(5000, true);
    expect(told()).toEqual([{ turn: 1, back: 0, need: 1 }]);
    const second = claim(5000, true);
    expect(told()).toEqual([{ turn: 2, back: 0, need: 2 }]);
    hear({ heard: 1, rest: 0, full: true });
    expect([first.passage, second.passage, slots.full]).toEqual(["none", null, true]);
    hear({ heard: 2, grant: 1, rest: 0, full: true });
    expect(second.passage).toBe("slot");
  });

  test("the word that none is free does not count after one was given back here", () => {
    const { slots, hear, told, claim } = lab();
    const running = claim(5000, true);
    told();
    hear({ heard: 1, grant: 1, rest: 0, full: true });
    expect(slots.full).toBe(true);
    running.release();
    expect(slots.full).toBe(false);
    expect(told()).toEqual([{ turn: 2, back: 1, need: 0 }]);
    expect(slots.full).toBe(false);
    hear({ heard: 2, rest: 0, full: true });
    expect(slots.full).toBe(true);
  });
});
