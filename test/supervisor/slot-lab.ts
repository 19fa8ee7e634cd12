import { type SlotClaim, Slots } from "../../src/child/slots.ts";
import type { SlotReport, SlotWord } from "../../src/ipc/slot-messages.ts";
import { SlotLedger, type SlotRules, type SlotWords } from "../../src/supervisor/slot-ledger.ts";

/** A child of the lab: its slots, and what is on its way to and from it. */
export interface LabChild {
  readonly slots: Slots;
  readonly claims: SlotClaim[];
  readonly toSupervisor: SlotReport[];
  readonly toChild: SlotWord[];
  readonly deferred: (() => void)[];
  readonly timers: { readonly at: number; readonly work: () => void }[];
  alive: boolean;
}

/** A supervisor's ledger and its children, with a wire on which words stay until the test lets them through. */
export class SlotLab {
  readonly ledger: SlotLedger<LabChild>;
  readonly children: LabChild[] = [];
  rules: SlotRules;
  now = 0;
  /** Messages that passed between the processes. */
  carried = 0;
  over = 0;

  constructor(rules: SlotRules, children: number) {
    this.rules = rules;
    this.ledger = new SlotLedger(rules);
    for (let at = 0; at < children; at++) this.start();
  }

  get living(): LabChild[] {
    return this.children.filter(({ alive }) => alive);
  }

  start(): LabChild {
    const deferred: (() => void)[] = [];
    const timers: { at: number; work: () => void }[] = [];
    const toSupervisor: SlotReport[] = [];
    const slots = new Slots({
      now: () => this.now,
      send: (report) => void toSupervisor.push(report),
      defer: (work) => void deferred.push(work),
      after: (delay, work) => void timers.push({ at: this.now + delay, work }),
      onOver: () => void this.over++,
    });
    const child = { slots, claims: [], toSupervisor, toChild: [], deferred, timers, alive: true };
    this.children.push(child);
    this.#post(this.ledger.join(child));
    return child;
  }

  /** It is gone, with all that was on its way. */
  die(child: LabChild): void {
    child.alive = false;
    this.#post(this.ledger.leave(child));
  }

  setRules(rules: SlotRules): void {
    this.rules = rules;
    this.#post(this.ledger.setRules(rules));
  }

  message(child: LabChild, patience = 1000, dontWait = this.rules.dontWait): SlotClaim {
    const claim = child.slots.claim({ patience, dontWait });
    child.claims.push(claim);
    return claim;
  }

  release(child: LabChild, at = 0): void {
    child.claims.splice(at, 1)[0]?.release();
  }

  /** One thing that is on its way to or from a child arrives; false when there is none. */
  carry(child: LabChild, toChild: boolean): boolean {
    for (const work of child.deferred.splice(0)) work();
    if (toChild) {
      const word = child.toChild.shift();
      if (word !== undefined) child.slots.hear(word);
      if (word !== undefined) this.carried++;
      return word !== undefined;
    }
    const report = child.toSupervisor.shift();
    if (report === undefined) return false;
    this.carried++;
    this.#post(this.ledger.report(child, report));
    return true;
  }

  /** Time goes by, and what was to be done in it is done. */
  pass(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (let next = this.#nextTimer(); next !== null && next <= end; next = this.#nextTimer()) {
      this.now = Math.max(this.now, next);
      for (const { timers } of this.living) {
        const due = timers.filter(({ at }) => at <= this.now);
        for (const timer of due) timers.splice(timers.indexOf(timer), 1);
        for (const { work } of due) work();
      }
    }
    this.now = end;
  }

  #nextTimer(): number | null {
    const all = this.living.flatMap(({ timers }) => timers.map(({ at }) => at));
    return all.length === 0 ? null : Math.min(...all);
  }

  /** All that is on its way arrives, and what follows from it, also in the time that an idle slot may rest. */
  settle(): void {
    for (let rounds = 0, moved = true; moved; rounds++) {
      if (rounds > 1000) throw new Error("the processes do not come to rest");
      moved = false;
      for (const child of this.living) {
        while (this.carry(child, false)) moved = true;
        while (this.carry(child, true)) moved = true;
        if (child.deferred.length > 0) moved = true;
      }
      const next = moved ? null : this.#nextTimer();
      if (next === null) continue;
      this.pass(Math.max(0, next - this.now));
      moved = true;
    }
  }

  /** Messages in scanning in slots of all living children. */
  get busy(): number {
    return this.living.reduce((sum, { slots }) => sum + slots.busy, 0);
  }

  get waiting(): number {
    return this.living.reduce((sum, { slots }) => sum + slots.waiting, 0);
  }

  /** Slots that living children hold, by what they know themselves. */
  get held(): number {
    return this.living.reduce((sum, { slots }) => sum + slots.busy + slots.idle, 0);
  }

  #post(words: SlotWords<LabChild>): void {
    for (const [child, word] of words) if (child.alive) child.toChild.push(word);
  }
}
