import { type Block, BlockList } from "./block-list.ts";
import type { SpoolEdge, SpoolFile } from "./spool-edge.ts";

/** The spool could not take the message: it cannot be scanned now. */
export class SpoolError extends Error {
  readonly code = "SPOOL_FULL";

  constructor(reason: unknown) {
    super(`the message cannot be spooled: ${reason instanceof Error ? reason.message : String(reason)}`);
    this.name = "SpoolError";
  }
}

const LARGEST_PIECE = 65_536;
/** A message that comes in small pieces and is to be passed is held in blocks up to about here. */
const IN_BLOCKS = 256 * 1024;
/** What comes in pieces of this size goes to a file without another copy, but for short messages. */
const DIRECT = 8192;
const SHORT = 32 * 1024;
/** Blocks of what is to be streamed, or a file in memory, go up to here: they cost much less than a disk. */
const IN_MEMORY = 16 * 1024 * 1024;
/** A message that waits for its file on the disk is held over the budget up to here. */
const OVER_BUDGET = 4 * 1024 * 1024;
const LATE = "no spool file came in time";
/** By so much it grows in the budget. */
const STEP = 256 * 1024;

/**
 * The bytes of one message on their way to the scanner: in blocks while they are few, then in a file in memory, then
 * in one on the disk; what is to be streamed stays in blocks for longer and needs no file in memory. They can be read
 * as often as needed.
 */
export class Spool {
  readonly #edge: SpoolEdge;
  readonly #blocks: BlockList;
  #size = 0;
  #file: SpoolFile | null = null;
  #fileBytes = 0;
  #onDisk = false;
  /** A file on the disk that the blocks will go to. */
  #disk: SpoolFile | null = null;
  /** Bytes of the budget that the file has while it is one in memory. */
  #fileMemory = 0;
  #memoryFile: number | null = null;
  #closed = false;

  constructor(edge: SpoolEdge) {
    this.#edge = edge;
    this.#blocks = new BlockList(edge.blocks, edge.budget);
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

  /** The message in order, in pieces of 256 kB at most; they stay as they are until the spool is written to or closed. */
  *pieces(): Generator<Uint8Array, void> {
    yield* this.#filePieces();
    yield* this.#blocks.pieces();
  }

  *#filePieces(): Generator<Uint8Array, void> {
    if (this.#file === null) return;
    for (let at = 0; at < this.#fileBytes; ) {
      const piece = Buffer.allocUnsafe(Math.min(LARGEST_PIECE, this.#fileBytes - at));
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
    // A second copy of a long message in memory would be more than the budget knows of.
    if (this.#file === null && this.#blocks.size > IN_BLOCKS) this.#tryDisk();
    if (this.#file === null) {
      this.#memoryFile ??= this.#edge.memoryFile(this.pieces());
      return this.#memoryFile;
    }
    this.#write();
    return this.#file.lend();
  }

  /** Moves what is held to a file on the disk, if there is one and it takes all of it. */
  #tryDisk(): void {
    try {
      const disk = this.#disk ?? this.#edge.openFile();
      this.#disk = disk;
      if (disk === null) return;
      for (const piece of this.#blocks.pieces()) disk.append(piece);
      this.#fileBytes = this.#size;
      this.#adopt(disk);
      this.#blocks.empty();
      this.#blocks.keepOne();
    } catch {
      this.#disk?.close();
      this.#disk = null;
    }
  }

  /** Gives back memory and file. The spool is empty then. */
  close(): void {
    if (this.#memoryFile !== null) this.#edge.closeMemoryFile(this.#memoryFile);
    this.#memoryFile = null;
    this.#blocks.close();
    this.#closeFile();
    this.#fileBytes = 0;
    this.#size = 0;
    this.#closed = true;
  }

  /** A block with room for a byte at least. */
  #room(): Block {
    const { last } = this.#blocks;
    if (last !== undefined && last.used < last.bytes.length) return last;
    if (this.#mayHold() || last === undefined) return this.#blocks.add();
    const { passing } = this.#edge;
    if (!passing && this.#file === null && this.#disk === null) throw new SpoolError(new Error(LATE));
    this.#toFile();
    return this.#blocks.last ?? this.#blocks.add();
  }

  /** Whether another block may be held; counts it if so. A message has its first whatever the answer is. */
  #mayHold(): boolean {
    if (this.#file !== null) return false;
    const { passing } = this.#edge;
    const { budgeted, beyond, nextSize, last } = this.#blocks;
    if (budgeted + nextSize <= (passing ? IN_BLOCKS : IN_MEMORY) && this.#blocks.takeBudget()) return true;
    if (passing || last === undefined || this.#hasDisk() || beyond + nextSize > OVER_BUDGET) return false;
    this.#blocks.goBeyond();
    return true;
  }

  /** Whether a file on the disk is at hand. @throws SpoolError */
  #hasDisk(): boolean {
    try {
      this.#disk ??= this.#edge.openFile();
      return this.#disk !== null;
    } catch (error) {
      throw new SpoolError(error);
    }
  }

  /** Writes what the blocks hold to the file, and keeps one as its write buffer. */
  #toFile(): void {
    this.#write();
    this.#blocks.keepOne();
  }

  /** Whether so many bytes more, all at once, belong into the file. */
  #goesToFile(more: number): boolean {
    const long = this.#edge.passing && this.#size + more > SHORT;
    if (this.#file === null && long && this.#blocks.last !== undefined) this.#toFile();
    return this.#file !== null;
  }

  /**
   * Writes to the file: first what is held, then these.
   * @throws SpoolError
   */
  #write(...more: readonly Uint8Array[]): void {
    try {
      for (const bytes of [...this.#blocks.pieces(), ...more]) {
        this.#fileFor(bytes.length).append(bytes);
        this.#fileBytes += bytes.length;
      }
      this.#blocks.empty();
    } catch (error) {
      throw new SpoolError(error);
    }
  }

  /** The file, which is to take so many bytes more: in memory as long as there is room, on the disk from then on. */
  #fileFor(more: number): SpoolFile {
    if (this.#file !== null && this.#onDisk) return this.#file;
    if (this.#disk !== null) return this.#moveTo(this.#disk);
    const end = this.#fileBytes + more;
    const memory = this.#memoryUpTo(end) ? this.#memory() : null;
    if (memory !== null) return memory;
    const disk = this.#edge.openFile();
    if (disk !== null) return this.#moveTo(disk);
    // It is on its way: until it comes the message is held over the budget.
    if (end > OVER_BUDGET) throw new Error(LATE);
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
  #moveTo(disk: SpoolFile): SpoolFile {
    this.#disk = null;
    try {
      for (const piece of this.#filePieces()) disk.append(piece);
    } catch (error) {
      disk.close();
      throw error;
    }
    return this.#adopt(disk);
  }

  #adopt(disk: SpoolFile): SpoolFile {
    this.#disk = null;
    this.#closeFile();
    this.#file = disk;
    this.#onDisk = true;
    return disk;
  }

  #closeFile(): void {
    this.#file?.close();
    this.#disk?.close();
    this.#file = null;
    this.#disk = null;
    this.#onDisk = false;
    this.#edge.budget.give(this.#fileMemory);
    this.#fileMemory = 0;
  }
}
