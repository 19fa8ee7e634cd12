import type { Log } from "../log/log.ts";

/** The same trouble is told again after so long. Milliseconds. */
const REST = 10_000;
const MOST = 20;

/** Tells what an engine says of its temporary directory: a disk that is all but full is so for one message only. */
export class TemporaryNews {
  readonly #log: Log;
  readonly #told = new Map<string | null, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param problem null: there is none any more */
  tell(problem: string | null): void {
    const now = performance.now();
    if (now - (this.#told.get(problem) ?? Number.NEGATIVE_INFINITY) < REST) return;
    if (this.#told.size >= MOST) this.#told.clear();
    this.#told.set(problem, now);
    if (problem === null) this.#log("info", "the engine's temporary directory can be used again");
    else
      this.#log(
        "error",
        `messages are not scanned, the engine's temporary directory is unusable: ${problem}`,
      );
  }
}
