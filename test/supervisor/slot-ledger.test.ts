import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { SlotClaim } from "../../src/child/slots.ts";
import { SlotError, SlotLedger } from "../../src/supervisor/slot-ledger.ts";
import { type LabChild, SlotLab } from "./slot-lab.ts";

function lab(capacity: number, children: number, dontWait = false): SlotLab {
  const made = new SlotLab({ capacity, dontWait }, children);
  made.settle();
  return made;
}

/** The child of that number. */
function child(of: SlotLab, at: number): LabChild {
  const found = of.children[at];
  if (found === undefined) throw new Error(`there is no child ${at}`);
  return found;
}

function messages(of: SlotLab, at: number, count: number): void {
  for (let number = 0; number < count; number++) of.message(child(of, at));
  of.settle();
}

/** What each child holds, by the ledger. */
function leases(of: SlotLab): number[] {
  return of.living.map((each) => of.ledger.heldBy(each));
}

describe("leases", () => {
  test("every child has some from the start, and not all are given away", () => {
    expect(leases(lab(10, 2))).toEqual([5, 2]);
    expect(leases(lab(2, 2))).toEqual([1, 1]);
    expect(leases(lab(100, 4)).every((held) => held === 8)).toBe(true);
  });

  test("one slot among three: one child has it, the others none", () => {
    expect(leases(lab(1, 3))).toEqual([1, 0, 0]);
  });

  test("a message for which there is a slot waits for nobody, and tells nobody", () => {
    const slots = lab(10, 2);
    slots.carried = 0;
    for (let round = 0; round < 100; round++) {
      expect(slots.message(child(slots, 0)).passage).toBe("slot");
      slots.release(child(slots, 0));
    }
    slots.settle();
    expect(slots.carried).toBe(0);
  });

  test("a child with much to do comes to hold all that the others do not use", () => {
    const slots = lab(10, 2);
    messages(slots, 0, 12);
    expect(leases(slots)).toEqual([10, 0]);
    expect([slots.busy, slots.waiting]).toEqual([10, 2]);
  });

  test("it has to part with them when the other needs some, one by one as they come free", () => {
    const slots = lab(10, 2);
    messages(slots, 0, 200);
    messages(slots, 1, 200);
    expect(leases(slots)).toEqual([10, 0]);
    for (let freed = 1; freed <= 5; freed++) {
      slots.release(child(slots, 0));
      slots.settle();
      expect(leases(slots)).toEqual([10 - freed, freed]);
    }
    // Now each has its share, and goes on from message to message by itself.
    slots.carried = 0;
    for (let round = 0; round < 5; round++) {
      slots.release(child(slots, 0));
      slots.release(child(slots, 1));
      slots.settle();
      expect([leases(slots), slots.busy]).toEqual([[5, 5], 10]);
    }
    expect(slots.carried).toBe(0);
  });

  test("one with more messages gets more, whoever came first, and then each goes on by itself", () => {
    const slots = lab(10, 2);
    messages(slots, 0, 20);
    messages(slots, 1, 200);
    for (let round = 0; round < 60; round++) {
      if (round === 30) slots.carried = 0;
      for (const at of [0, 1]) {
        const busy = child(slots, at).slots.busy;
        for (let count = 0; count < busy; count++) {
          slots.release(child(slots, at));
          slots.message(child(slots, at));
        }
      }
      slots.settle();
    }
    expect(leases(slots)).toEqual([2, 8]);
    expect(slots.carried).toBe(0);
  });

  test("one slot, three children with mail: it goes from one to the next", () => {
    const slots = lab(1, 3);
    for (const at of [0, 1, 2]) messages(slots, at, 4);
    const order: number[] = [];
    for (let round = 0; round < 12; round++) {
      const holder = slots.children.findIndex((each) => each.slots.busy === 1);
      order.push(holder);
      slots.release(child(slots, holder));
      slots.settle();
    }
    expect(order).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
    expect([slots.busy, slots.waiting]).toEqual([0, 0]);
  });

  test("two slots, three children with mail: none is passed over", () => {
    const slots = lab(2, 3);
    for (const at of [0, 1, 2]) messages(slots, at, 30);
    const served = [0, 0, 0];
    for (let round = 0; round < 60; round++) {
      const holders = [0, 1, 2].filter((at) => child(slots, at).slots.busy > 0);
      expect(slots.busy).toBe(2);
      for (const holder of holders) {
        served[holder] = (served[holder] ?? 0) + 1;
        slots.release(child(slots, holder));
      }
      slots.settle();
      if (slots.waiting === 0) break;
    }
    expect(Math.min(...served)).toBeGreaterThan(20);
  });
});

test("children with ever changing work, more than there are slots, say little to each other", () => {
  const slots = lab(10, 2);
  let messages = 0;
  let seed = 7;
  const chance = (): boolean => {
    seed = (seed * 48271) % 2147483647;
    return seed % 5 > 0;
  };
  for (let round = 0; round < 2000; round++) {
    for (const [at, most] of [11, 5].entries()) {
      const each = child(slots, at);
      const inScanning = ({ passage }: SlotClaim) => passage === "slot";
      while (each.slots.busy > 0 && chance()) slots.release(each, each.claims.findIndex(inScanning));
      for (; each.claims.length < most && chance(); messages++) slots.message(each);
      while (slots.carry(each, false));
    }
    for (const each of slots.children) while (slots.carry(each, true));
    slots.pass(1);
  }
  expect(messages).toBeGreaterThan(9000);
  // Without a rest for idle slots they are more than six for ten messages.
  expect(slots.carried).toBeLessThan(messages / 3);
});

/**
 * Two seconds in which the first child has more long messages than there are slots, and each of the others a short one
 * every 6 ms.
 */
function longBesideShort(capacity: number, children: number) {
  const slots = lab(capacity, children);
  const under: { at: number; claim: SlotClaim; since: number; until: number | null }[] = [];
  const through = slots.children.map(() => 0);
  let longest = 0;
  const begin = (at: number): void => {
    const claim = slots.message(child(slots, at), 1e9);
    under.push({ at, claim, since: slots.now, until: null });
  };
  const carryAll = (): void => {
    for (const each of slots.children) while (slots.carry(each, false));
    for (const each of slots.children) while (slots.carry(each, true));
  };
  for (let time = 0; time < 2000; time++) {
    while (child(slots, 0).claims.length < 2 * capacity) begin(0);
    for (let at = 1; at < children; at++) if (time % 6 === at % 6) begin(at);
    for (const each of under) {
      if (each.until !== null || each.claim.passage !== "slot") continue;
      each.until = slots.now + (each.at === 0 ? 20 : 1);
      if (each.at > 0) longest = Math.max(longest, slots.now - each.since);
    }
    for (const each of under.filter(({ until }) => until !== null && until <= slots.now)) {
      under.splice(under.indexOf(each), 1);
      const { claims } = child(slots, each.at);
      slots.release(child(slots, each.at), claims.indexOf(each.claim));
      through[each.at] = (through[each.at] ?? 0) + 1;
    }
    carryAll();
    slots.pass(1);
    carryAll();
  }
  return { through, longest };
}

test.each([
  [2, 3, 100],
  [4, 4, 230],
  [16, 8, 1100],
  [10, 2, 880],
  [3, 2, 230],
])(
  "%i slots, %i children: a short message is not kept waiting by long ones, nor %i long ones by short ones",
  (capacity, children, long) => {
    const { through, longest } = longBesideShort(capacity, children);
    expect(longest).toBeLessThan(60);
    for (const each of through.slice(1)) expect(each).toBeGreaterThan(320);
    expect(through[0]).toBeGreaterThan(long);
  },
);

describe("what a child held that dies", () => {
  test("is there for the others, even if it was all", () => {
    const slots = lab(1, 2);
    messages(slots, 0, 3);
    messages(slots, 1, 1);
    expect([child(slots, 0).slots.busy, child(slots, 1).slots.busy]).toEqual([1, 0]);
    slots.die(child(slots, 0));
    slots.settle();
    expect(child(slots, 1).slots.busy).toBe(1);
    expect(slots.ledger.leased).toBe(1);
  });

  test("is not the next one's in its place", () => {
    const slots = lab(4, 2);
    messages(slots, 0, 4);
    slots.die(child(slots, 0));
    const next = slots.start();
    expect(slots.ledger.heldBy(next)).toBeLessThanOrEqual(1);
    slots.settle();
    expect([slots.held, slots.busy]).toEqual([slots.ledger.leased, 0]);
  });

  test("is counted once", () => {
    const slots = lab(4, 2);
    slots.die(child(slots, 0));
    slots.die(child(slots, 0));
    expect(slots.ledger.leased).toBe(slots.ledger.heldBy(child(slots, 1)));
  });
});

describe("another capacity", () => {
  test("more is given at once to who waits", () => {
    const slots = lab(2, 2);
    messages(slots, 0, 8);
    slots.setRules({ capacity: 6, dontWait: false });
    slots.settle();
    expect([slots.busy, slots.waiting]).toEqual([6, 2]);
  });

  test("less: what is in scanning goes on, and nothing begins until it is through", () => {
    const slots = lab(6, 2);
    messages(slots, 0, 8);
    slots.setRules({ capacity: 2, dontWait: false });
    slots.settle();
    expect(slots.busy).toBe(6);
    for (const left of [5, 4, 3, 2, 2, 2]) {
      slots.release(child(slots, 0));
      slots.settle();
      expect(slots.busy).toBe(left);
      expect(slots.ledger.leased).toBe(left);
    }
    expect(slots.waiting).toBe(0);
  });

  test("--dont-wait from now on: idle ones come back though nobody waits", () => {
    const slots = lab(10, 2);
    expect(slots.held).toBe(7);
    slots.setRules({ capacity: 10, dontWait: true });
    slots.settle();
    expect([slots.held, slots.ledger.leased]).toEqual([0, 0]);
  });

  test("less, and idle ones are there: they come back", () => {
    const slots = lab(20, 2);
    slots.setRules({ capacity: 2, dontWait: false });
    slots.settle();
    expect([slots.ledger.leased, slots.held]).toEqual([2, 2]);
  });
});

describe("--dont-wait", () => {
  test("nobody keeps an idle one, and everybody knows when none is free", () => {
    const slots = lab(2, 2, true);
    expect(slots.ledger.leased).toBe(0);
    messages(slots, 0, 2);
    expect(slots.children.map((each) => each.slots.full)).toEqual([true, true]);
    const refused = slots.message(child(slots, 1));
    slots.settle();
    expect(refused.passage).toBe("none");
    slots.release(child(slots, 0));
    slots.settle();
    expect(slots.children.map((each) => each.slots.full)).toEqual([false, false]);
    expect(slots.ledger.leased).toBe(1);
    const taken = slots.message(child(slots, 1));
    slots.settle();
    expect(taken.passage).toBe("slot");
  });

  test("an answer is to the message that asked, also when one before it was given up", () => {
    const slots = lab(1, 2, true);
    messages(slots, 0, 1);
    const first = slots.message(child(slots, 1));
    slots.carry(child(slots, 1), false);
    first.release();
    slots.release(child(slots, 0));
    slots.carry(child(slots, 0), false);
    const second = slots.message(child(slots, 1));
    slots.settle();
    expect([first.passage, second.passage]).toEqual([null, "slot"]);
    expect(slots.ledger.leased).toBe(1);
  });
});

describe("a child that breaks the rules", () => {
  const report = { type: "slots", turn: 1, back: 0, need: 0 } as const;

  test("more back than it holds", () => {
    const ledger = new SlotLedger<string>({ capacity: 4, dontWait: false });
    ledger.join("a");
    const held = ledger.heldBy("a");
    expect(() => ledger.report("a", { ...report, back: held + 1 })).toThrow(SlotError);
    expect([ledger.heldBy("a"), ledger.leased]).toEqual([held, held]);
  });

  test("reports that are out of order, or of nobody", () => {
    const ledger = new SlotLedger<string>({ capacity: 4, dontWait: false });
    ledger.join("a");
    for (const turn of [0, 2]) expect(() => ledger.report("a", { ...report, turn })).toThrow(SlotError);
    expect(() => ledger.report("b", report)).toThrow(SlotError);
    ledger.report("a", report);
    expect(() => ledger.report("a", report)).toThrow(SlotError);
  });

  test("one that wants all there is has its share of it only", () => {
    const ledger = new SlotLedger<string>({ capacity: 4, dontWait: false });
    ledger.join("greedy");
    ledger.join("b");
    const words = ledger.report("greedy", { ...report, need: 1_000_000 });
    expect(words.get("greedy")).toMatchObject({ keep: 3, rest: 2 });
    expect(ledger.heldBy("b")).toBe(1);
  });
});

type Step =
  | {
      readonly do: "message" | "release" | "report" | "word" | "die";
      readonly at: number;
      readonly which: number;
    }
  | { readonly do: "time"; readonly by: number }
  | { readonly do: "capacity"; readonly to: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constantFrom("message", "release", "report", "word"),
      at: fc.nat(3),
      which: fc.nat(20),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("die" as const), at: fc.nat(3), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("time" as const), by: fc.nat(800) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("capacity" as const), to: fc.integer({ min: 1, max: 9 }) }),
  },
);

function take(slots: SlotLab, next: Step): void {
  if (next.do === "capacity") {
    slots.setRules({ ...slots.rules, capacity: next.to });
    return;
  }
  if (next.do === "time") {
    slots.pass(next.by);
    for (const each of slots.living) each.slots.tick();
    return;
  }
  const each = slots.living[next.at % slots.living.length];
  if (each === undefined) return;
  if (next.do === "message") slots.message(each, 100 + 40 * next.which);
  else if (next.do === "release") slots.release(each, next.which % Math.max(1, each.claims.length));
  else if (next.do === "report") slots.carry(each, false);
  else if (next.do === "word") slots.carry(each, true);
  else {
    slots.die(each);
    slots.start();
  }
}

test.each([false, true])(
  "whatever happens in whatever order: no slot is lost, none is made (dontWait %p)",
  (dontWait) => {
    const plan = fc.record({
      capacity: fc.integer({ min: 1, max: 9 }),
      children: fc.integer({ min: 1, max: 4 }),
      steps: fc.array(step, { maxLength: 120 }),
    });
    fc.assert(
      fc.property(plan, ({ capacity, children, steps }) => {
        const slots = new SlotLab({ capacity, dontWait }, children);
        // Above the capacity only as far as it was before that was made smaller.
        let bound = capacity;
        for (const next of steps) {
          take(slots, next);
          bound = Math.max(slots.rules.capacity, Math.min(bound, slots.ledger.leased));
          expect(slots.ledger.leased).toBeLessThanOrEqual(bound);
          expect(slots.held).toBeLessThanOrEqual(slots.ledger.leased);
          for (const each of slots.living)
            expect(each.slots.busy + each.slots.idle).toBeLessThanOrEqual(slots.ledger.heldBy(each));
        }
        slots.settle();
        expect(slots.held).toBe(slots.ledger.leased);
        // Nobody waits while there is a slot, and with --dont-wait nobody waits.
        if (slots.waiting > 0) expect(slots.busy).toBeGreaterThanOrEqual(slots.rules.capacity);
        if (dontWait) expect([slots.waiting, slots.held]).toEqual([0, slots.busy]);
        for (const each of slots.living) while (each.claims.length > 0) slots.release(each);
        slots.settle();
        expect([slots.busy, slots.waiting]).toEqual([0, 0]);
        expect(slots.held).toBe(slots.ledger.leased);
        expect(slots.ledger.leased).toBeLessThanOrEqual(slots.rules.capacity);
        // All of them can be had again, by whichever child.
        const last = slots.living[0];
        for (let at = 0; at < slots.rules.capacity; at++) if (last !== undefined) slots.message(last);
        slots.settle();
        expect([slots.busy, slots.waiting]).toEqual([slots.rules.capacity, 0]);
      }),
      { numRuns: 2000 },
    );
  },
  60_000,
);

test("every waiting message has its turn, however many children want slots", () => {
  const plan = fc.record({
    capacity: fc.integer({ min: 1, max: 6 }),
    loads: fc.array(fc.nat(12), { minLength: 1, maxLength: 5 }),
  });
  fc.assert(
    fc.property(plan, ({ capacity, loads }) => {
      const slots = lab(capacity, loads.length);
      const total = loads.reduce((sum, load) => sum + load, 0);
      loads.forEach((load, at) => {
        messages(slots, at, load);
      });
      let rounds = 0;
      while (slots.busy > 0 && ++rounds <= total + 1) {
        for (const each of slots.living) {
          each.claims
            .filter(({ passage }) => passage === "slot")
            .forEach((claim) => {
              each.claims.splice(each.claims.indexOf(claim), 1);
              claim.release();
            });
        }
        slots.settle();
      }
      // Work is never left lying: each round as many as there are slots.
      expect([slots.busy, slots.waiting]).toEqual([0, 0]);
      expect(rounds).toBeLessThanOrEqual(Math.ceil(total / capacity) + 1);
    }),
    { numRuns: 500 },
  );
});
