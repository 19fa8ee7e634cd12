/** Lets one at a time pass, in the order in which they came. */
export class Lane {
  #last: Promise<void> = Promise.resolve();

  /** Resolves when it is one's turn; the answer ends it, and must be called. */
  async enter(): Promise<() => void> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    return resolve;
  }
}
