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
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, MODE);
  try {
    if (!lockExclusively(fd)) throw new PidFileHeld(path, contentOf(fd));
    ftruncateSync(fd, 0);
    writeSync(fd, `${process.pid}\n`, 0);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const { ino, dev } = fstatSync(fd);
  return {
    remove: () => {
      const now = lstatSync(path, { throwIfNoEntry: false });
      if (now !== undefined && now.ino === ino && now.dev === dev) unlinkSync(path);
      closeSync(fd);
    },
  };
}

function contentOf(fd: number): string {
  const bytes = Buffer.alloc(20);
  return /^\d+/.exec(bytes.toString("latin1", 0, readSync(fd, bytes, 0, bytes.length, 0)))?.[0] ?? "";
}
