import type { MemoryBudget } from "./memory-budget.ts";

/** Blocks of one size. */
interface Shelf {
  readonly blocks: Buffer[];
  /** The fewest that have lain here since the last tick: so many were of no use. */
  fewest: number;
}

/**
 * Blocks of memory that go from message to message: new ones for each would cost more than what is done with them,
 * most of it in the collector. They come as they were left. What lies unused is let go.
 */
export class BlockStock {
  readonly #budget: MemoryBudget;
  readonly #shelves = new Map<number, Shelf>();
  #bytes = 0;

  /** @param budget what is in use and what lies here is no more than that together */
  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** Bytes of the blocks that lie here. */
  get bytes(): number {
    return this.#bytes;
  }

  take(size: number): Buffer {
    const shelf = this.#shelves.get(size);
    const block = shelf?.blocks.pop();
    if (shelf === undefined || block === undefined) return Buffer.allocUnsafeSlow(size);
    shelf.fewest = Math.min(shelf.fewest, shelf.blocks.length);
    this.#bytes -= size;
    return block;
  }

  /** The caller must have no view of it any more. */
  give(block: Buffer): void {
    const { taken, total } = this.#budget;
    if (taken + this.#bytes + block.length > total) return;
    this.#bytes += block.length;
    const shelf = this.#shelves.get(block.length);
    if (shelf === undefined) this.#shelves.set(block.length, { blocks: [block], fewest: 0 });
    else shelf.blocks.push(block);
  }

  /** To be called about once a second: of the blocks that were not needed in that time half go. */
  tick(): void {
    for (const [size, shelf] of this.#shelves) {
      const { blocks, fewest } = shelf;
      const going = Math.ceil(fewest / 2);
      blocks.length -= going;
      this.#bytes -= going * size;
      shelf.fewest = blocks.length;
    }
  }
}
