/** Milliseconds without work after which what it left behind is collected. */
const IDLE = 20_000;

/** Takes some ten milliseconds, in which the process does nothing else. */
export function collectGarbage(): void {
  Bun.gc(true);
}

/**
 * Has garbage collected once after each stretch of work. The runtime's own collector looks when memory is asked for,
 * which an idle process does not do: without this the supervisor keeps 1 MB of what the slots left, and a child up to
 * 5 MB of the last messages.
 */
export class IdleCollector {
  readonly #collect: () => void;
  #work = 0;
  #since = 0;
  #collected = true;

  constructor(collect: () => void) {
    this.#collect = collect;
  }

  /**
   * To be called every now and then.
   * @param work grows with whatever is done
   * @param now milliseconds of a clock that never goes back
   */
  tick(work: number, now: number): void {
    if (work !== this.#work) {
      this.#work = work;
      this.#since = now;
      this.#collected = false;
    } else if (!this.#collected && now - this.#since >= IDLE) {
      this.#collected = true;
      this.#collect();
    }
  }
}
