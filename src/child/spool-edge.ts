import { closeDescriptor } from "../os/libc.ts";
import { openMemoryFile, sealedFile, sealMemoryFile } from "../os/memory-file.ts";
import { BlockStock } from "../scan/block-stock.ts";
import { MemoryBudget } from "../scan/memory-budget.ts";
import type { SpoolEdge, SpoolFile } from "../scan/spool-edge.ts";
import { spoolFileOn } from "../scan/spool-file.ts";

/**
 * Where a child keeps the messages in hand.
 * @param memory bytes that it holds in memory; what does not fit goes to files
 * @param openFile as of the edge
 */
export function spoolEdge(memory: number, openFile: () => SpoolFile | null): Omit<SpoolEdge, "passing"> {
  const budget = new MemoryBudget(memory);
  return {
    budget,
    blocks: new BlockStock(budget),
    openFile,
    openMemory: memorySpoolFile,
    memoryFile: sealedFile,
    closeMemoryFile: closeDescriptor,
  };
}

/** @throws OsError of the system call that failed */
function memorySpoolFile(): SpoolFile {
  const fd = openMemoryFile();
  const release = (emptied: number | null): void => {
    if (emptied !== null) closeDescriptor(emptied);
  };
  // Whoever gets it is to see that it cannot be changed any more.
  return spoolFileOn(fd, release, () => sealMemoryFile(fd));
}
