import type { Output } from "../os/log-output.ts";

/**
 * Writes whole lines to an output that may take none of a line, or a part of it. A line that is not taken is lost
 * and counted; one that was taken in part is finished before any other begins.
 */
export class WholeLines {
  readonly #output: Output;
  readonly #note: (lost: number) => string;
  #rest: Uint8Array = new Uint8Array(0);
  #lost = 0;

  /** @param note the line that tells how many were lost; it is written when the output takes lines again */
  constructor(output: Output, note: (lost: number) => string) {
    this.#output = output;
    this.#note = note;
  }

  /** Lines lost that no note has told of. */
  get lost(): number {
    return this.#lost;
  }

  /** @param line without its end */
  write(line: string): void {
    if (this.#finish() && this.#tellLost() && this.#put(line)) return;
    this.#lost++;
  }

  close(): void {
    this.#finish();
    this.#output.close();
  }

  #finish(): boolean {
    if (this.#rest.length > 0) this.#rest = this.#rest.subarray(this.#take(this.#rest));
    return this.#rest.length === 0;
  }

  #tellLost(): boolean {
    if (this.#lost === 0) return true;
    if (!this.#put(this.#note(this.#lost))) return false;
    this.#lost = 0;
    return this.#rest.length === 0;
  }

  #put(line: string): boolean {
    const bytes = Buffer.from(`${line}\n`);
    const taken = this.#take(bytes);
    if (taken > 0) this.#rest = bytes.subarray(taken);
    return taken > 0;
  }

  #take(bytes: Uint8Array): number {
    try {
      return this.#output.write(bytes);
    } catch {
      // EAGAIN, EPIPE, ENOSPC: the line is lost, and the program goes on.
      return 0;
    }
  }
}
