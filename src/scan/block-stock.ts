/** Blocks of one size that are kept for the next message. */
const KEPT = 16;

/**
 * Blocks of memory that go from message to message: new ones for each would cost more than what is done with them,
 * most of it in the collector. They come as they were left.
 */
export class BlockStock {
  readonly #kept = new Map<number, Buffer[]>();

  take(size: number): Buffer {
    return this.#kept.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
  }

  /** The caller must have no view of it any more. */
  give(block: Buffer): void {
    const kept = this.#kept.get(block.length) ?? [];
    this.#kept.set(block.length, kept);
    if (kept.length < KEPT) kept.push(block);
  }
}
