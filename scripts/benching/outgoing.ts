import { LATER, MOST_PIECES, sendPieces, setPiece } from "./socket-calls.ts";
import type { Part } from "./stretches.ts";

/** What a connexion has to send, up to the next answer that is due in one call, as sendmail does it. */
export class Outgoing {
  #parts: readonly Part[] = [];
  #part = 0;
  #stretch = 0;
  /** Bytes of the present stretch that have gone. */
  #gone = 0;
  /** Letter of the command whose answer is due; 0 while none is. */
  awaited = 0;

  /** What is to be sent from now on; what was not sent of the old is dropped. */
  load(parts: readonly Part[]): void {
    this.#parts = parts.filter(({ stretches }) => stretches.length > 0);
    this.#part = 0;
    this.#stretch = 0;
    this.#gone = 0;
    this.awaited = 0;
  }

  /** The answer is here: the next stretch may go. */
  answered(): void {
    this.awaited = 0;
  }

  /** Leaves out what is left of a stage. */
  skip(stage: number): void {
    for (let next = this.#next(); next !== undefined && next.stage === stage; next = this.#next())
      this.#step();
  }

  /**
   * Sends until an answer is due or nothing is left.
   * @returns false when the socket takes no more at the moment
   * @throws CallError
   */
  push(fd: number): boolean {
    while (this.awaited === 0) {
      const count = this.#gather();
      if (count === 0) return true;
      const sent = sendPieces(fd, count);
      if (sent === LATER) return false;
      this.#advance(sent);
    }
    return true;
  }

  #next() {
    return this.#parts[this.#part]?.stretches[this.#stretch];
  }

  #step(): void {
    this.#gone = 0;
    this.#stretch++;
    while (this.#part < this.#parts.length && this.#next() === undefined) {
      this.#part++;
      this.#stretch = 0;
    }
  }

  #gather(): number {
    let [number, at, gone] = [this.#part, this.#stretch, this.#gone];
    let count = 0;
    for (; number < this.#parts.length && count < MOST_PIECES; number++, at = 0) {
      const part = this.#parts[number];
      if (part === undefined) break;
      for (; at < part.stretches.length && count < MOST_PIECES; at++) {
        const stretch = part.stretches[at];
        if (stretch === undefined) break;
        setPiece(count++, part.address + stretch.at + gone, stretch.length - gone);
        gone = 0;
        if (stretch.answered) return count;
      }
    }
    return count;
  }

  #advance(sent: number): void {
    for (let rest = sent; rest > 0; ) {
      const stretch = this.#next();
      if (stretch === undefined) return;
      const left = stretch.length - this.#gone;
      if (rest < left) {
        this.#gone += rest;
        return;
      }
      rest -= left;
      if (stretch.answered) this.awaited = stretch.stage;
      this.#step();
    }
  }
}
