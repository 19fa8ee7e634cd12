import type { SlotReport, SlotWord } from "../ipc/slot-messages.ts";
import { fairShares } from "./slot-shares.ts";

/** How many slots there are, and what becomes of those that are not used. */
export interface SlotRules {
  /** Messages in scanning at the same time in the whole program, 1 or more. */
  readonly capacity: number;
  /** `--dont-wait`: children keep no idle slots, and are answered at once whether there is a free one. */
  readonly dontWait: boolean;
}

/** A child broke the rules: it gave back what it does not hold. */
export class SlotError extends Error {
  readonly code = "SLOTS_NOT_HELD";
}

/** What is to be told to whom. */
export type SlotWords<Child> = ReadonlyMap<Child, SlotWord>;

/** The most slots that a child is given besides those that it needs. */
const MOST_SPARE = 8;

/**
 * While messages wait in one child, how long a slot may lie idle in another, in milliseconds. Where messages are small
 * and many, the next one takes it within that time: processes tell each other a third of what they did when it came back
 * at once. With 10 ms it was a tenth; but a child with a small message every 6 ms kept an idle slot for itself then, and
 * four children with four slots had through a third of the long messages that they could.
 */
const REST = 2;

/** What is known of one child. */
interface Account {
  /** Leased to it, as far as it has not said otherwise. */
  held: number;
  /** What it said last. While messages wait there, it may be some more or less by now: `Slots` says how many. */
  need: number;
  heard: number;
  /** When it was last given a slot, as a count of such events. */
  served: number;
  /** Given since it was last told. */
  grant: number;
  /** It has asked, and is answered even if nothing has changed. */
  asked: boolean;
  /** What it was told last. */
  told: State;
}

type State = Pick<SlotWord, "keep" | "rest" | "full">;

/**
 * Who holds which slots: a state machine without a clock and without a wire. Every slot is either free or leased to
 * one child; what a child holds that is gone is free again. The sum of the leases is above the capacity only after
 * that was made smaller, until enough have come back.
 *
 * While nobody waits, each child has some to spare, so that an ordinary message finds one. When a child waits and none
 * is free, those that have been idle for a moment are recalled, and nobody keeps more than its share; within its share
 * a child goes on from message to message without asking. Decisions 8.
 */
export class SlotLedger<Child> {
  readonly #accounts = new Map<Child, Account>();
  #rules: SlotRules;
  #leased = 0;
  #services = 0;

  constructor(rules: SlotRules) {
    this.#rules = rules;
  }

  /** Slots that are leased now. */
  get leased(): number {
    return this.#leased;
  }

  /** Slots that are leased to one child. */
  heldBy(child: Child): number {
    return this.#accounts.get(child)?.held ?? 0;
  }

  /** Other rules from now on. */
  setRules(rules: SlotRules): SlotWords<Child> {
    this.#rules = rules;
    return this.#settle();
  }

  /** A child that holds nothing yet. */
  join(child: Child): SlotWords<Child> {
    const told = { keep: null, rest: null, full: false };
    this.#accounts.set(child, { held: 0, need: 0, heard: 0, served: 0, grant: 0, asked: false, told });
    return this.#settle();
  }

  /** A child is gone: what it held is free. To say it again does no harm. */
  leave(child: Child): SlotWords<Child> {
    this.#leased -= this.heldBy(child);
    this.#accounts.delete(child);
    return this.#settle();
  }

  /**
   * A child says what it gives back and what it needs.
   * @throws SlotError when it gives back more than it holds, or its reports are out of order; nothing is changed then
   */
  report(child: Child, { turn, back, need }: SlotReport): SlotWords<Child> {
    const account = this.#accounts.get(child);
    if (account === undefined || turn !== account.heard + 1) throw new SlotError("reports out of order");
    if (back > account.held) throw new SlotError(`gave back ${back} slots and holds ${account.held}`);
    account.held -= back;
    this.#leased -= back;
    account.need = need;
    account.heard = turn;
    account.asked = this.#rules.dontWait;
    return this.#settle();
  }

  #settle(): SlotWords<Child> {
    const { capacity, dontWait } = this.#rules;
    const accounts = [...this.#accounts.values()];
    // By their shares, which they may keep: whoever was given more would have to part with it at once.
    const shares = fairShares(accounts, capacity);
    const due = new Map(accounts.map((account, at) => [account, shares[at] ?? 0]));
    this.#give(accounts, (account) => Math.min(account.need, due.get(account) ?? 0));
    if (dontWait) {
      // Who found none is told so by the answer, and waits for nothing.
      for (const account of accounts) account.need = Math.min(account.need, account.held);
    }
    const waiting = accounts.some(({ held, need }) => held < need);
    if (!waiting && !dontWait) {
      const spare = Math.min(MOST_SPARE, Math.max(1, Math.floor(capacity / (2 * accounts.length))));
      const out = accounts.filter(({ held, need }) => held <= need);
      this.#give(out, ({ need }) => need + spare);
    }
    const short = waiting || this.#leased > capacity;
    const kept = short ? fairShares(accounts, capacity) : [];
    const rest = short ? this.#restAmong(accounts) : null;
    const full = dontWait && this.#leased >= capacity;
    const words = new Map<Child, SlotWord>();
    [...this.#accounts].forEach(([child, account], at) => {
      const word = wordFor(account, { keep: kept[at] ?? null, rest: dontWait ? 0 : rest, full });
      if (word !== null) words.set(child, word);
    });
    return words;
  }

  /** Where there are fewer slots than children that want one, each rest would be at another's expense. */
  #restAmong(accounts: readonly Account[]): number {
    const claimants = accounts.filter(({ held, need }) => held > 0 || need > 0).length;
    return this.#rules.capacity < claimants ? 0 : REST;
  }

  /** Gives what is free, one at a time to whom holds least of those below their goal, the longest unserved first. */
  #give(accounts: readonly Account[], goal: (account: Account) => number): void {
    while (this.#leased < this.#rules.capacity) {
      let best: Account | null = null;
      for (const account of accounts) {
        if (account.held >= goal(account)) continue;
        if (best === null || account.held < best.held) best = account;
        else if (account.held === best.held && account.served < best.served) best = account;
      }
      if (best === null) return;
      best.held++;
      best.grant++;
      best.served = ++this.#services;
      this.#leased++;
    }
  }
}

/** What a child must be told now, or null. It counts as told then. */
function wordFor(account: Account, state: State): SlotWord | null {
  const { told, grant, asked, heard } = account;
  const same = told.keep === state.keep && told.rest === state.rest && told.full === state.full;
  if (same && grant === 0 && !asked) return null;
  account.told = state;
  account.grant = 0;
  account.asked = false;
  return { type: "slots", heard, grant, ...state };
}
