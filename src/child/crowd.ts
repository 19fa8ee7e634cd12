/** So many connexions at once, and other children are to share them. */
const CROWD = 3;
/** A child with fewer for so many ticks is crowded no longer. */
const CALM_TICKS = 5;

/** Whether a child has so many connexions that others should accept, too. Few changes: each wakes other processes. */
export class Crowd {
  readonly #tell: (crowded: boolean) => void;
  #crowded = false;
  #calmTicks = 0;

  /** @param tell is called whenever it changes */
  constructor(tell: (crowded: boolean) => void) {
    this.#tell = tell;
  }

  /** So many connexions are open, after one more was accepted. */
  opened(connexions: number): void {
    if (connexions >= CROWD) this.declare();
  }

  /** Others are to accept, whatever the number. */
  declare(): void {
    this.#calmTicks = 0;
    if (this.#crowded) return;
    this.#crowded = true;
    this.#tell(true);
  }

  /** To be called about once a second with the connexions that are open. */
  tick(connexions: number): void {
    if (!this.#crowded) return;
    this.#calmTicks = connexions >= CROWD ? 0 : this.#calmTicks + 1;
    if (this.#calmTicks < CALM_TICKS) return;
    this.#crowded = false;
    this.#tell(false);
  }
}
