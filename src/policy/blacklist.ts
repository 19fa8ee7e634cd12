/** Entries at most; then the oldest goes. */
export const MOST_LISTED = 200_000;

/** Addresses that are refused until some moment. Whoever calls has the clock. */
export class Blacklist {
  /** Address to milliseconds on the caller's clock; the one that was listed first is first. */
  readonly #until = new Map<string, number>();
  readonly #most: number;

  /** @param most entries at most */
  constructor(most = MOST_LISTED) {
    this.#most = most;
  }

  get size(): number {
    return this.#until.size;
  }

  /** Lists an address, or lists it for longer. Answers whether it was not listed before. */
  add(address: string, until: number, now: number): boolean {
    const isNew = !this.has(address, now);
    // Whatever is listed for longer goes to the end.
    this.#until.delete(address);
    this.#until.set(address, until);
    if (this.#until.size > this.#most) {
      const [oldest] = this.#until.keys();
      if (oldest !== undefined) this.#until.delete(oldest);
    }
    return isNew;
  }

  has(address: string, now: number): boolean {
    const until = this.#until.get(address);
    return until !== undefined && now < until;
  }

  /** Answers whether it was there. */
  remove(address: string): boolean {
    return this.#until.delete(address);
  }

  /** Forgets whose time is over. All are listed for the same time, so they are at the front. */
  forgetOld(now: number): void {
    for (const [address, until] of this.#until) {
      if (now < until) return;
      this.#until.delete(address);
    }
  }

  /** All that are listed, oldest first, while others come and go. */
  entries(): IterableIterator<[address: string, until: number]> {
    return this.#until.entries();
  }
}
