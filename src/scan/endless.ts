import { createHash } from "node:crypto";
import type { ScanSource } from "../clamd/session.ts";

/** A message that could not be scanned in time is remembered for so long. Milliseconds. */
const REMEMBERED = 900_000;
/** Messages that are remembered; then the oldest are forgotten. */
const MOST = 1000;

/**
 * Messages that have used up their time, or that ended the scanner, by the hash of their content: MTAs bring them
 * again and again, and each time they would hold a scanner for minutes.
 */
export class EndlessMessages {
  readonly #until = new Map<string, number>();

  get size(): number {
    return this.#until.size;
  }

  /** @param now milliseconds */
  remember(hash: string, now: number): void {
    this.#until.delete(hash);
    this.#until.set(hash, now + REMEMBERED);
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= MOST) break;
      this.#until.delete(oldest);
    }
  }

  /** All that are remembered. */
  list(now: number): readonly string[] {
    return [...this.#until.keys()].filter((hash) => this.has(hash, now));
  }

  has(hash: string, now: number): boolean {
    const until = this.#until.get(hash);
    if (until === undefined) return false;
    if (now < until) return true;
    this.#until.delete(hash);
    return false;
  }
}

/** The hash by which a message is known again. @throws SpoolError when the message cannot be read */
export function contentHash(source: ScanSource): string {
  const hash = createHash("sha256");
  const pieces = source.pieces();
  for (let next = pieces.next(); next.done !== true; next = pieces.next()) hash.update(next.value);
  return hash.digest("hex");
}
