import { countYoungDeaths, reloadPause, respawnPause } from "./backoff.ts";

/** When a virus database is loaded again by itself. */
export class LoadTimer {
  readonly #load: () => void;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #youngDeaths = 0;
  /** Attempts in a row, beside an engine that serves, of which nothing came. */
  #unloaded = 0;

  /** @param load what is then done */
  constructor(load: () => void) {
    this.#load = load;
  }

  get pending(): boolean {
    return this.#timer !== null;
  }

  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** A load has come to its end. */
  loaded(): void {
    this.#unloaded = 0;
  }

  /** The engine that served is gone: without one nothing can be scanned. @returns the pause in milliseconds */
  afterDeath(lived: number): number {
    this.#youngDeaths = countYoungDeaths(this.#youngDeaths, lived);
    return this.#in(respawnPause(this.#youngDeaths));
  }

  /** There is no engine that can be used, and none could be loaded. */
  urgently(): void {
    this.#youngDeaths++;
    this.#in(respawnPause(this.#youngDeaths));
  }

  /** One serves, and another could not be loaded beside it. */
  patiently(): void {
    this.#in(reloadPause(++this.#unloaded));
  }

  #in(pause: number): number {
    this.cancel();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#load();
    }, pause);
    return pause;
  }
}
