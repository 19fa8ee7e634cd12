/** Milliseconds. */
export const HOUR = 3_600_000;

/** How many mails of ours go out within an hour, and to one recipient. */
export interface HourlyBounds {
  readonly total: number;
  readonly perRecipient: number;
}

/** Counts mail by hours, which begin with the first mail after the last one. */
export class HourlyLimit {
  readonly #bounds: HourlyBounds;
  readonly #counts = new Map<string, number>();
  #total = 0;
  #begun = Number.NEGATIVE_INFINITY;

  constructor(bounds: HourlyBounds) {
    this.#bounds = bounds;
  }

  /**
   * Who of these may get one more mail; it is counted for them.
   * @param now milliseconds
   */
  admit(recipients: readonly string[], now: number): Set<string> {
    if (now - this.#begun >= HOUR || now < this.#begun) {
      this.#counts.clear();
      this.#total = 0;
      this.#begun = now;
    }
    if (this.#total >= this.#bounds.total) return new Set();
    const admitted = recipients.filter((address) => this.#countOf(address) < this.#bounds.perRecipient);
    if (admitted.length > 0) this.#total++;
    for (const address of admitted) this.#counts.set(address.toLowerCase(), this.#countOf(address) + 1);
    return new Set(admitted);
  }

  #countOf(address: string): number {
    return this.#counts.get(address.toLowerCase()) ?? 0;
  }
}
