import type { Log } from "../log/log.ts";
import { canBeAskedAbout, leadsToNull } from "../policy/black-hole.ts";

/** Milliseconds for which an answer counts, and for which a failure does. */
const FRESH = 300_000;
const FAILURE_FRESH = 30_000;
const MOST_KEPT = 10_000;
/** sendmail processes at the same time, and addresses that wait for one. */
const MOST_AT_ONCE = 4;
const MOST_WAITING = 500;

/** What running `sendmail -bv` gave. */
export interface ExpansionRun {
  /** Null when it was ended by a signal. */
  readonly status: number | null;
  readonly output: string;
}

export interface BlackHoleEdge {
  /** Runs `sendmail -bv -- ADDRESS`, with a deadline. Rejects when it cannot be run or takes too long. */
  expand(address: string): Promise<ExpansionRun>;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
}

interface Kept {
  readonly answer: Promise<boolean>;
  until: number;
}

/** sysexits: all is well, and: no such user (of one of them). */
const OK = 0;
const NO_USER = 67;

/** Knows which recipients sendmail would write to /dev/null (`--black-hole-mode`). */
export class BlackHoles {
  readonly #edge: BlackHoleEdge;
  readonly #program: string;
  readonly #log: Log;
  readonly #kept = new Map<string, Kept>();
  readonly #queue: (() => void)[] = [];
  #running = 0;
  #failing = false;

  /** @param program its path, for the log */
  constructor(edge: BlackHoleEdge, program: string, log: Log) {
    this.#edge = edge;
    this.#program = program;
    this.#log = log;
  }

  /** Whether mail to this address goes to /dev/null and nowhere else. What is not sure is false. Never rejects. */
  leadsToNull(address: string): Promise<boolean> {
    if (!canBeAskedAbout(address)) return Promise.resolve(false);
    const now = this.#edge.now();
    const kept = this.#kept.get(address);
    if (kept !== undefined && kept.until > now) return kept.answer;
    if (this.#queue.length >= MOST_WAITING) return Promise.resolve(false);
    const entry: Kept = { until: Number.POSITIVE_INFINITY, answer: this.#ask(address, () => entry) };
    this.#kept.delete(address);
    this.#kept.set(address, entry);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    return entry.answer;
  }

  async #ask(address: string, entry: () => Kept): Promise<boolean> {
    await this.#place();
    try {
      const { status, output } = await this.#edge.expand(address);
      if (status !== OK && status !== NO_USER) throw new Error(`status ${status ?? "unknown"}`);
      entry().until = this.#edge.now() + FRESH;
      this.#failing = false;
      return status === OK && leadsToNull(output);
    } catch (error) {
      entry().until = this.#edge.now() + FAILURE_FRESH;
      const reason = error instanceof Error ? error.message : String(error);
      // Once, until it works again: what cannot be told is scanned.
      const level = this.#failing ? "verbose" : "warning";
      this.#failing = true;
      this.#log(
        level,
        `Can't execute '${this.#program}' to expand '${address}' (${reason}): mail to it is scanned`,
      );
      return false;
    } finally {
      const next = this.#queue.shift();
      // The place goes over to the one that waits.
      if (next === undefined) this.#running--;
      else next();
    }
  }

  /** Waits until one more sendmail may run. */
  async #place(): Promise<void> {
    if (this.#running < MOST_AT_ONCE) this.#running++;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
  }
}
