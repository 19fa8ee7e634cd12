import type { SlotReport, SlotWord } from "../ipc/slot-messages.ts";

/** What the child's slots need of the world. */
export interface SlotEdge {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  send(report: SlotReport): void;
  /** Has work done after what is in hand: reports of one turn travel together. */
  defer(work: () => void): void;
  /** Has work done in so many milliseconds. */
  after(delay: number, work: () => void): void;
  /** Messages go on over the limit: told once, and again only after one has found a slot at once. */
  onOver(): void;
}

/** How a message comes to its scan. */
export type Passage =
  /** In a slot. */
  | "slot"
  /** Over the limit: it has waited for as long as it may. */
  | "over"
  /** Not at all: none is free, and it is not to wait. */
  | "none";

/** What a message wants. */
export interface SlotWish {
  /** Milliseconds that it waits at most; it goes on without a slot then. */
  readonly patience: number;
  /** Whether it waits for the supervisor's answer only: `--dont-wait`. */
  readonly dontWait: boolean;
}

/** A message's claim to a slot. */
export interface SlotClaim {
  /** How it goes on; null while that is not known. */
  readonly passage: Passage | null;
  /** The same once it is known. Does not come about when the claim is released before. */
  readonly settled: Promise<Passage>;
  /** The message is through, or given up: the slot is another's. Once is enough, and another time does no harm. */
  release(): void;
}

/** While messages wait, the supervisor is told when the need has changed by one part in so many. */
const CHANGED = 8;
/** And by so much at least: a share that goes to and fro by one is worth nothing. */
const LEAST_CHANGE = 2;
/** And not more often than that: a report costs more than a small message. Milliseconds. */
const BETWEEN_CHANGES = 100;

interface Waiting {
  readonly dontWait: boolean;
  readonly until: number;
  /** The report by which it was asked for; 0: not yet. */
  turn: number;
  settle(passage: Passage): void;
}

/**
 * The slots that this child has leased from the supervisor: a message is in scanning while it holds one. Idle ones
 * stay here until they are recalled and have lain here for a moment, so that a message seldom waits for another
 * process; and whatever becomes of the supervisor's word, a message goes on when its patience is over.
 */
export class Slots {
  readonly #edge: SlotEdge;
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiting>();
  /** Since when each slot without a message lies here; the next message takes the last one. */
  readonly #idle: number[] = [];
  #busy = 0;
  #keep: number | null = null;
  #rest: number | null = null;
  /** Whether somebody comes to see what has rested for long enough. */
  #watching = false;
  #full = false;
  #turn = 0;
  #heard = 0;
  #back = 0;
  /** The last report that gave something back. */
  #backTurn = 0;
  #toldNeed = 0;
  #toldAt = Number.NEGATIVE_INFINITY;
  #reporting = false;
  /** A message that does not wait was not asked for yet: the answer is to it alone, so each is asked for. */
  #unasked = false;
  #exceeded = false;

  constructor(edge: SlotEdge) {
    this.#edge = edge;
  }

  /**
   * Whether the supervisor has said that none is free in the whole program; it does with `--dont-wait` only. What was
   * said before one was given back here does not count any more.
   */
  get full(): boolean {
    return this.#full && this.#back === 0 && this.#heard >= this.#backTurn;
  }

  /** Messages that hold a slot. */
  get busy(): number {
    return this.#busy;
  }

  /** Slots without a message. */
  get idle(): number {
    return this.#idle.length;
  }

  /** Messages that wait for a slot. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Takes a slot, at once if there is one here. */
  claim(wish: SlotWish): SlotClaim {
    const { promise, resolve } = Promise.withResolvers<Passage>();
    let passage: Passage | null = null;
    let released = false;
    const settle = (how: Passage): void => {
      passage = how;
      resolve(how);
    };
    const waiting: Waiting = {
      dontWait: wish.dontWait,
      until: this.#edge.now() + wish.patience,
      turn: 0,
      settle,
    };
    if (this.#idle.pop() !== undefined) {
      this.#busy++;
      this.#exceeded = false;
      settle("slot");
    } else {
      this.#waiting.add(waiting);
      this.#unasked ||= wish.dontWait;
    }
    this.#reportIfDue();
    return {
      get passage() {
        return passage;
      },
      settled: promise,
      release: () => {
        if (released) return;
        released = true;
        this.#waiting.delete(waiting);
        if (passage !== "slot") return;
        this.#busy--;
        this.#idle.push(this.#edge.now());
        this.#giveBackExcess();
        this.#serve();
        this.#reportIfDue();
      },
    };
  }

  /** Takes the supervisor's word. */
  hear({ heard, grant, keep, rest, full }: SlotWord): void {
    this.#heard = heard;
    this.#keep = keep;
    this.#rest = rest;
    this.#full = full;
    const now = this.#edge.now();
    for (let count = 0; count < grant; count++) this.#idle.push(now);
    // What was just given has its message first, even if it is to go to another child after that.
    this.#serve();
    this.#giveBackExcess();
    this.#reportIfDue();
    for (const waiting of this.#waiting) {
      if (!waiting.dontWait || waiting.turn === 0 || waiting.turn > heard) continue;
      this.#pass(waiting, "none");
      // The supervisor does not wait for it either.
      this.#toldNeed = Math.min(this.#toldNeed, this.#busy);
    }
  }

  /** To be called about once a second: ends waits that are too long. */
  tick(): void {
    const now = this.#edge.now();
    for (const waiting of this.#waiting) {
      if (now < waiting.until) continue;
      if (!this.#exceeded) this.#edge.onOver();
      this.#exceeded = true;
      this.#pass(waiting, "over");
    }
    // What was not told since it came too soon after a report, or since nobody asked.
    this.#reportIfDue();
  }

  /** Idle slots above this child's share go back. */
  #giveBackExcess(): void {
    const above = this.#keep === null ? 0 : this.idle + this.#busy - this.#keep;
    this.#giveBack(Math.max(0, above));
  }

  /** Idle slots find their message. */
  #serve(): void {
    for (const waiting of this.#waiting) {
      if (this.#idle.pop() === undefined) break;
      this.#busy++;
      this.#pass(waiting, "slot");
    }
    this.#giveBackRested();
  }

  /** Idle slots that have lain here for as long as they may go back, the others when that time comes. */
  #giveBackRested(): void {
    const rest = this.#rest;
    if (rest === null) return;
    const now = this.#edge.now();
    const resting = this.#idle.findIndex((since) => now - since < rest);
    this.#giveBack(resting === -1 ? this.idle : resting);
    const [oldest] = this.#idle;
    if (oldest === undefined || this.#watching) return;
    this.#watching = true;
    this.#edge.after(Math.ceil(oldest + rest - now), () => {
      this.#watching = false;
      this.#giveBackRested();
      this.#reportIfDue();
    });
  }

  /** Those that have been idle for longest go first. */
  #giveBack(count: number): void {
    this.#back += this.#idle.splice(0, count).length;
  }

  #pass(waiting: Waiting, how: Passage): void {
    this.#waiting.delete(waiting);
    waiting.settle(how);
  }

  /**
   * The supervisor must know when slots come back, and when more could be used than it knows of: the last idle one
   * was taken, or a message waits. How many wait it is told now and then; that fewer are needed, while none waits, it
   * learns with the next report.
   */
  #reportIfDue(): void {
    if (this.#reporting || !this.#due()) return;
    this.#reporting = true;
    this.#edge.defer(() => {
      this.#reporting = false;
      if (this.#due()) this.#report();
    });
  }

  #due(): boolean {
    if (this.#back > 0) return true;
    if (this.idle > 0) return false;
    if (this.#toldNeed > this.#busy && !this.#unasked) return this.#hasChanged();
    return this.#need > this.#toldNeed || (this.#unasked && this.#waiting.size > 0);
  }

  /** It knows that messages wait here. How many they are is what the slots are parted by. */
  #hasChanged(): boolean {
    const change = Math.abs(this.#need - this.#toldNeed);
    if (change < LEAST_CHANGE || change * CHANGED < this.#toldNeed) return false;
    return this.#edge.now() - this.#toldAt >= BETWEEN_CHANGES;
  }

  get #need(): number {
    return this.#busy + this.#waiting.size;
  }

  #report(): void {
    this.#toldNeed = this.#need;
    this.#toldAt = this.#edge.now();
    const report: SlotReport = { type: "slots", turn: ++this.#turn, back: this.#back, need: this.#need };
    if (this.#back > 0) this.#backTurn = this.#turn;
    this.#back = 0;
    this.#unasked = false;
    for (const waiting of this.#waiting) if (waiting.turn === 0) waiting.turn = this.#turn;
    this.#edge.send(report);
  }
}
