import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/** A folder on a file system of its own that can be filled. */
export interface SmallDisk {
  readonly path: string;
  /** Takes all space that is left. */
  fill(): void;
  /** Gives it back. */
  empty(): void;
}

const FILL = ".filled";
const BLOCK = 1 << 20;

/**
 * Mounts a small file system in memory; to be used in a mount namespace of our own only, where it ends with us.
 * @throws Error when it cannot be mounted
 */
export function mountSmallDisk(path: string, megabytes: number): SmallDisk {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const options = `size=${megabytes}m,mode=0700`;
  const { exitCode, stderr } = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", options, "none", path]);
  if (exitCode !== 0) throw new Error(`${path}: ${stderr.toString().trim()}`);
  const filler = join(path, FILL);
  return {
    path,
    fill: () => {
      const fd = openSync(filler, "w", 0o600);
      try {
        for (let size = BLOCK; size >= 512; size >>= 1) fillWith(fd, size);
      } finally {
        closeSync(fd);
      }
    },
    empty: () => rmSync(filler, { force: true }),
  };
}

/** Writes blocks until the next one has no room. */
function fillWith(fd: number, size: number): void {
  const block = Buffer.alloc(size);
  try {
    while (writeSync(fd, block) === size);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  }
}

/** Whether this process may mount what nobody else sees: scripts/soak and scripts/chaos see to it as root. */
export const MAY_MOUNT: boolean = process.argv.includes("--own-mounts");
