import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { lockExclusively } from "./libc.ts";

/** The pidfile of this process: locked while it lives, so that nobody has to guess whether the number is stale. */
export interface PidFile {
  /** Removes the file, unless another has taken its name. */
  remove(): void;
}

/** A live process holds the pidfile. */
export class PidFileHeld extends Error {
  readonly code = "PIDFILE_HELD";
  /** What the file says. */
  readonly holder: string;

  constructor(path: string, holder: string) {
    super(`${path} is held by process ${holder === "" ? "unknown" : holder}`);
    this.holder = holder;
  }
}

const MODE = 0o644;

/**
 * Writes the decimal process id. A file that nobody holds is stale and taken over.
 * @throws PidFileHeld, or Error of the system call that failed
 */
export function writePidFile(path: string): PidFile {
  const fd = openLocked(path);
  try {
    ftruncateSync(fd, 0);
    writeSync(fd, `${process.pid}\n`, 0);
  } catch (error) {
    remove(path, fd);
    throw error;
  }
  return { remove: () => remove(path, fd) };
}

/** The file under that name, locked: one that its last holder removed while we opened it is nobody's any more. */
function openLocked(path: string): number {
  for (;;) {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, MODE);
    try {
      if (!lockExclusively(fd)) throw new PidFileHeld(path, contentOf(fd));
      if (hasName(path, fd)) return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(fd);
  }
}

function hasName(path: string, fd: number): boolean {
  const now = lstatSync(path, { throwIfNoEntry: false });
  const { ino, dev } = fstatSync(fd);
  return now !== undefined && now.ino === ino && now.dev === dev;
}

function remove(path: string, fd: number): void {
  try {
    if (hasName(path, fd)) unlinkSync(path);
  } catch {
    // The directory is not ours: an empty file names no process, at least.
    ftruncateSync(fd, 0);
  } finally {
    closeSync(fd);
  }
}

function contentOf(fd: number): string {
  const bytes = Buffer.alloc(20);
  return /^\d+/.exec(bytes.toString("latin1", 0, readSync(fd, bytes, 0, bytes.length, 0)))?.[0] ?? "";
}
