import type { BlockStock } from "./block-stock.ts";
import type { MemoryBudget } from "./memory-budget.ts";

const FIRST_BLOCK = 4096;
const LARGE_BLOCK = 65_536;
/** From so many bytes on a message is long, and its blocks are larger: each is one call when it is sent. */
const LONG = 256 * 1024;
const LONG_BLOCK = 256 * 1024;

/** A piece of memory that is filled from its beginning. */
export interface Block {
  readonly bytes: Buffer;
  used: number;
}

/** The bytes of one message that are in memory, in blocks of growing size. */
export class BlockList {
  readonly #stock: BlockStock;
  readonly #budget: MemoryBudget;
  #blocks: Block[] = [];
  /** Bytes of the blocks. */
  #held = 0;
  #budgeted = 0;
  #beyond = 0;

  constructor(stock: BlockStock, budget: MemoryBudget) {
    this.#stock = stock;
    this.#budget = budget;
  }

  get last(): Block | undefined {
    return this.#blocks.at(-1);
  }

  /** Bytes of the blocks that the budget knows of. */
  get budgeted(): number {
    return this.#budgeted;
  }

  /** Bytes of the blocks that were added beyond the budget. */
  get beyond(): number {
    return this.#beyond;
  }

  /** Bytes of the blocks, as far as they are counted. */
  get size(): number {
    return this.#budgeted + this.#beyond;
  }

  /** Bytes that the next block will have. */
  get nextSize(): number {
    const { last } = this;
    if (last === undefined) return FIRST_BLOCK;
    return this.#held >= LONG ? LONG_BLOCK : Math.min(LARGE_BLOCK, last.bytes.length * 4);
  }

  /** Counts the next block in the budget, if that has so much. */
  takeBudget(): boolean {
    const size = this.nextSize;
    if (!this.#budget.take(size)) return false;
    this.#budgeted += size;
    return true;
  }

  /** Counts the next block beyond the budget. */
  goBeyond(): void {
    this.#beyond += this.nextSize;
  }

  /** The next block, whatever the budget says. */
  add(): Block {
    const block: Block = { bytes: this.#stock.take(this.nextSize), used: 0 };
    this.#blocks.push(block);
    this.#held += block.bytes.length;
    return block;
  }

  /** What is held, in order; it stays as it is until the list is emptied. */
  *pieces(): Generator<Uint8Array, void> {
    for (const { bytes, used } of this.#blocks) if (used > 0) yield bytes.subarray(0, used);
  }

  /** What is held is elsewhere now. The blocks stay, to be filled again. */
  empty(): void {
    for (const block of this.#blocks) block.used = 0;
  }

  /** All blocks go but one, the largest that are not for long messages. */
  keepOne(): void {
    const at = this.#blocks.findLastIndex(({ bytes }) => bytes.length <= LARGE_BLOCK);
    const going = this.#blocks;
    this.#blocks = going.splice(at, 1);
    this.#held = this.last?.bytes.length ?? 0;
    this.#keepBudget(Math.min(this.#budgeted, this.#held));
    for (const { bytes } of going) this.#stock.give(bytes);
  }

  /** All blocks go. */
  close(): void {
    const going = this.#blocks;
    this.#blocks = [];
    this.#held = 0;
    this.#keepBudget(0);
    for (const { bytes } of going) this.#stock.give(bytes);
  }

  /** Before the blocks lie in the stock, which has what the budget does not need. */
  #keepBudget(kept: number): void {
    this.#budget.give(this.#budgeted - kept);
    this.#budgeted = kept;
    this.#beyond = 0;
  }
}
