import type { BlockStock } from "./block-stock.ts";
import type { MemoryBudget } from "./memory-budget.ts";

/** A file without a name, for what does not fit into memory. */
export interface SpoolFile {
  /** @throws Error when the disk takes no more */
  append(bytes: Uint8Array): void;
  /** Reads into `into` from `at` on; answers the bytes read, 0 at the end. */
  read(into: Uint8Array, at: number): number;
  /** The file itself. It is not used for another message after this: the scanner may have it mapped for a while. */
  lend(): number;
  close(): void;
}

/** What a spool needs of the world. */
export interface SpoolEdge {
  readonly budget: MemoryBudget;
  readonly blocks: BlockStock;
  /**
   * A file; null when none is at hand at the moment, but one is on its way.
   * @throws Error when no file can be made
   */
  openFile(): SpoolFile | null;
  /**
   * A file in memory.
   * @throws Error when none can be made
   */
  openMemory(): SpoolFile;
  /** A file in memory with these bytes, to be closed by `closeMemoryFile`. @throws Error when none can be made */
  memoryFile(parts: Iterable<Uint8Array>): number;
  closeMemoryFile(descriptor: number): void;
}

/** The spool could not take the message: it cannot be scanned now. */
export class SpoolError extends Error {
  readonly code = "SPOOL_FULL";

  constructor(reason: unknown) {
    super(`the message cannot be spooled: ${reason instanceof Error ? reason.message : String(reason)}`);
    this.name = "SpoolError";
  }
}

const FIRST_BLOCK = 4096;
const LARGEST_BLOCK = 65_536;
/** A message that comes in small pieces is held in blocks up to about here, then it goes to a file. */
const IN_BLOCKS = 256 * 1024;
/** What comes in pieces of this size goes to a file without another copy, but for short messages. */
const DIRECT = 8192;
const SHORT = 32 * 1024;
/** The file is one in memory up to here, which costs much less than one on a disk. */
const IN_MEMORY = 16 * 1024 * 1024;
/** A message that waits for its file on the disk is held over the budget up to here. */
const OVER_BUDGET = 4 * 1024 * 1024;
/** By so much it grows in the budget. */
const STEP = 256 * 1024;

interface Block {
  readonly bytes: Buffer;
  used: number;
}

/**
 * The bytes of one message on their way to the scanner: in blocks while they are few, then in a file in memory, then
 * in one on the disk. They can be read as often as needed.
 */
export class Spool {
  readonly #edge: SpoolEdge;
  #blocks: Block[] = [];
  #held = 0;
  #size = 0;
  #file: SpoolFile | null = null;
  #fileBytes = 0;
  #onDisk = false;
  /** Bytes of the budget that the file has while it is one in memory. */
  #fileMemory = 0;
  #memoryFile: number | null = null;
  #closed = false;

  constructor(edge: SpoolEdge) {
    this.#edge = edge;
  }

  /** Bytes taken so far. */
  get size(): number {
    return this.#size;
  }

  /** Whether a file, in memory or on the disk, holds the message's first part. */
  get inFile(): boolean {
    return this.#file !== null;
  }

  /** @throws SpoolError */
  append(bytes: Uint8Array): void {
    this.#closed = false;
    if (bytes.length >= DIRECT && this.#goesToFile(bytes.length)) this.#write(bytes);
    else this.#hold(bytes);
    this.#size += bytes.length;
  }

  #hold(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const block = this.#room();
      const count = Math.min(block.bytes.length - block.used, bytes.length - at);
      block.bytes.set(bytes.subarray(at, at + count), block.used);
      block.used += count;
      at += count;
    }
  }

  /**
   * Takes a "binary" string, one byte a character.
   * @throws SpoolError
   */
  appendText(text: string): void {
    this.#closed = false;
    const block = this.#room();
    if (block.bytes.length - block.used < text.length) {
      this.append(Buffer.from(text, "latin1"));
      return;
    }
    block.used += block.bytes.write(text, block.used, "latin1");
    this.#size += text.length;
  }

  /** The message in order, in pieces of 64 kB at most; they stay as they are until the spool is written to or closed. */
  *pieces(): Generator<Uint8Array, void> {
    yield* this.#filePieces();
    for (const block of this.#blocks) yield block.bytes.subarray(0, block.used);
  }

  *#filePieces(): Generator<Uint8Array, void> {
    if (this.#file === null) return;
    for (let at = 0; at < this.#fileBytes; ) {
      const piece = Buffer.allocUnsafe(Math.min(LARGEST_BLOCK, this.#fileBytes - at));
      const count = this.#file.read(piece, at);
      if (count === 0) throw new SpoolError("the spool file is shorter than what was written to it");
      at += count;
      yield piece.subarray(0, count);
    }
  }

  /**
   * A descriptor of the whole message, the same until the spool is written to or closed.
   * @throws Error when there can be none
   */
  descriptor(): number {
    // Whoever asks late, for a message that was given up, is not to be given an empty one.
    if (this.#closed) throw new SpoolError("it is over");
    if (this.#file === null) {
      this.#memoryFile ??= this.#edge.memoryFile(this.pieces());
      return this.#memoryFile;
    }
    this.#write();
    return this.#file.lend();
  }

  /** Gives back memory and file. The spool is empty then. */
  close(): void {
    if (this.#memoryFile !== null) this.#edge.closeMemoryFile(this.#memoryFile);
    this.#memoryFile = null;
    this.#giveBlocks();
    this.#closeFile();
    this.#fileBytes = 0;
    this.#size = 0;
    this.#closed = true;
  }

  /** A block with room for a byte at least. */
  #room(): Block {
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.used < last.bytes.length) return last;
    const size = last === undefined ? FIRST_BLOCK : Math.min(LARGEST_BLOCK, last.bytes.length * 4);
    if (this.#file === null && this.#held + size <= IN_BLOCKS && this.#edge.budget.take(size)) {
      this.#held += size;
    } else if (last !== undefined) {
      this.#toFile();
      const block = this.#blocks.at(-1);
      if (block !== undefined) return block;
    }
    const block: Block = { bytes: this.#edge.blocks.take(size), used: 0 };
    this.#blocks.push(block);
    return block;
  }

  /** Writes what the blocks hold to the file, and keeps the largest as its write buffer. */
  #toFile(): void {
    this.#write();
    for (const { bytes } of this.#blocks.splice(0, this.#blocks.length - 1)) this.#edge.blocks.give(bytes);
    const kept = this.#blocks[0]?.bytes.length ?? 0;
    this.#edge.budget.give(Math.max(0, this.#held - kept));
    this.#held = Math.min(this.#held, kept);
  }

  /** Whether so many bytes more, all at once, belong into the file. */
  #goesToFile(more: number): boolean {
    if (this.#file === null && this.#size + more > SHORT && this.#blocks.length > 0) this.#toFile();
    return this.#file !== null;
  }

  /**
   * Writes to the file: first what is held, then these.
   * @throws SpoolError
   */
  #write(...more: readonly Uint8Array[]): void {
    try {
      const held = this.#blocks.filter(({ used }) => used > 0);
      for (const bytes of [...held.map(({ bytes, used }) => bytes.subarray(0, used)), ...more]) {
        this.#fileFor(bytes.length).append(bytes);
        this.#fileBytes += bytes.length;
      }
      for (const block of held) block.used = 0;
    } catch (error) {
      throw new SpoolError(error);
    }
  }

  /** The file, which is to take so many bytes more: in memory as long as there is room, on the disk from then on. */
  #fileFor(more: number): SpoolFile {
    if (this.#file !== null && this.#onDisk) return this.#file;
    const end = this.#fileBytes + more;
    const memory = this.#memoryUpTo(end) ? this.#memory() : null;
    if (memory !== null) return memory;
    const disk = this.#moveToDisk();
    if (disk !== null) return disk;
    // It is on its way: until it comes the message is held over the budget.
    if (end > OVER_BUDGET) throw new Error("no spool file came in time");
    this.#file ??= this.#edge.openMemory();
    return this.#file;
  }

  /** Null when there can be none: one on the disk does as well. */
  #memory(): SpoolFile | null {
    try {
      this.#file ??= this.#edge.openMemory();
      return this.#file;
    } catch {
      return null;
    }
  }

  #memoryUpTo(end: number): boolean {
    while (end > this.#fileMemory) {
      if (this.#fileMemory >= IN_MEMORY || !this.#edge.budget.take(STEP)) return false;
      this.#fileMemory += STEP;
    }
    return true;
  }

  /** @throws Error when the disk takes no more */
  #moveToDisk(): SpoolFile | null {
    const disk = this.#edge.openFile();
    if (disk === null) return null;
    try {
      for (const piece of this.#filePieces()) disk.append(piece);
    } catch (error) {
      disk.close();
      throw error;
    }
    this.#closeFile();
    this.#file = disk;
    this.#onDisk = true;
    return disk;
  }

  #closeFile(): void {
    this.#file?.close();
    this.#file = null;
    this.#onDisk = false;
    this.#edge.budget.give(this.#fileMemory);
    this.#fileMemory = 0;
  }

  #giveBlocks(): void {
    for (const { bytes } of this.#blocks) this.#edge.blocks.give(bytes);
    this.#edge.budget.give(this.#held);
    this.#held = 0;
    this.#blocks = [];
  }
}
