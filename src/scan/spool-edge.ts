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
  /**
   * Whether scanners take the message as a descriptor: a long one goes into a file at once then. To be streamed it
   * stays in blocks, which cost less than a file that has to be read again.
   */
  readonly passing: boolean;
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
