import { BlockStock } from "../../src/scan/block-stock.ts";
import { MemoryBudget } from "../../src/scan/memory-budget.ts";
import type { SpoolEdge, SpoolFile } from "../../src/scan/spool-edge.ts";

interface LabFile {
  bytes: Buffer;
  closed: number;
  lent: number;
}

/** A disk that remembers what was asked of it, and can be made to fail. */
export interface SpoolLab {
  readonly edge: SpoolEdge;
  readonly budget: MemoryBudget;
  readonly files: LabFile[];
  /** Those in memory that grow. */
  readonly grown: LabFile[];
  /** Files in memory that are open, by descriptor. */
  readonly memory: Map<number, Buffer>;
  /** Bytes the disk has left. */
  disk: number;
  /** Bytes that a read answers at most. */
  readAtMost: number;
}

/** @param passing whether scanners are passed descriptors */
export function spoolLab(room = 1024 * 1024, passing = true): SpoolLab {
  const budget = new MemoryBudget(room);
  const files: LabFile[] = [];
  const grown: LabFile[] = [];
  const memory: SpoolLab["memory"] = new Map();
  let lastDescriptor = 100;
  const lab: SpoolLab = {
    edge: {
      passing,
      budget,
      blocks: new BlockStock(budget),
      openFile,
      openMemory,
      memoryFile,
      closeMemoryFile: (fd) => void memory.delete(fd),
    },
    budget,
    files,
    grown,
    memory,
    disk: Number.POSITIVE_INFINITY,
    readAtMost: Number.POSITIVE_INFINITY,
  };
  function memoryFile(parts: Iterable<Uint8Array>): number {
    memory.set(++lastDescriptor, Buffer.concat([...parts]));
    return lastDescriptor;
  }
  function openFile(): SpoolFile {
    if (lab.disk < 0) throw new Error("EMFILE: too many open files");
    return fileIn(files, (count) => {
      if (count > lab.disk) throw new Error("ENOSPC: no space left on device");
      lab.disk -= count;
    });
  }
  function openMemory(): SpoolFile {
    return fileIn(grown, () => {});
  }
  function fileIn(all: LabFile[], take: (count: number) => void): SpoolFile {
    const file: LabFile = { bytes: Buffer.alloc(0), closed: 0, lent: 0 };
    all.push(file);
    return {
      append(bytes) {
        take(bytes.length);
        file.bytes = Buffer.concat([file.bytes, bytes]);
      },
      read(into, at) {
        const part = file.bytes.subarray(at, at + Math.min(into.length, lab.readAtMost));
        into.set(part);
        return part.length;
      },
      lend: () => {
        file.lent++;
        return all.indexOf(file);
      },
      close: () => void file.closed++,
    };
  }
  return lab;
}

/** Bytes of which every stretch is different. */
export function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 0x12345678;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
