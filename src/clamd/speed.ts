/** A message of this size counts twice as much as a tiny one: what a scan costs besides its bytes. */
const BYTES_OF_A_START = 50_000;
/** The part of the newest scan in the average. */
const WEIGHT = 0.2;
/** An old measurement loses half of its worth in this time, so that a slow server gets another chance. Milliseconds. */
const HALF_LIFE = 10_000;
/** The pace of a server that nothing is known of. Milliseconds. */
const UNKNOWN = 1;

/** How fast a server scans, smoothed: what unequal servers' shares of the mail follow. */
export class Speed {
  #pace = 0;
  #measuredAt = 0;

  /**
   * Takes a scan into account.
   * @param milliseconds that it took
   * @param size bytes of the message
   */
  measure(milliseconds: number, size: number, now: number): void {
    const pace = milliseconds / (1 + size / BYTES_OF_A_START);
    this.#pace = this.#pace === 0 ? pace : this.#pace + WEIGHT * (pace - this.#pace);
    this.#measuredAt = now;
  }

  /** Milliseconds that a small message takes here, more or less. */
  pace(now: number): number {
    const age = Math.max(0, now - this.#measuredAt);
    return Math.max(UNKNOWN, this.#pace * 0.5 ** (age / HALF_LIFE));
  }
}
