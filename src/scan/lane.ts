/** Lets one at a time pass, in the order in which they came. */
export class Lane {
  #last: Promise<void> = Promise.resolve();

  /**
   * Resolves when it is one's turn: the answer ends it, and must be called. Null when it did not come in time, or was
   * given up before: who is in front may hold it for longer than one has.
   * @param patience milliseconds
   * @param givenUp resolves when nobody waits any more
   */
  async enter(patience: number, givenUp: Promise<unknown>): Promise<(() => void) | null> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, patience);
    const none = (): false => false;
    const turn = await Promise.race([before.then(() => true), late.promise.then(none), givenUp.then(none)]);
    clearTimeout(timer);
    if (turn) return resolve;
    // Those behind wait for those in front all the same.
    void before.then(resolve);
    return null;
  }
}
