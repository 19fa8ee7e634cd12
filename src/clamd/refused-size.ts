/** A limit that was found out is believed for so long: clamd may be restarted with another. Milliseconds. */
const BELIEVED = 600_000;

/** clamd's own StreamMaxLength, as far as its refusals tell: how long a message need not be sent to it. */
export class RefusedSize {
  #bytes = Number.POSITIVE_INFINITY;
  #until = 0;

  /** A message of that size was refused. */
  learn(bytes: number, now: number): void {
    this.#bytes = now < this.#until ? Math.min(this.#bytes, bytes) : bytes;
    this.#until = now + BELIEVED;
  }

  /** Whether a message of that size would be refused, too. */
  refuses(bytes: number, now: number): boolean {
    return now < this.#until && bytes >= this.#bytes;
  }
}
