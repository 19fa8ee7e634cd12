import { closeSync, constants, ftruncateSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { SpoolFile } from "./spool-edge.ts";

/**
 * A spool file on an open descriptor.
 * @param release gets the descriptor back, emptied for the next message, or null when that failed and it was closed
 * @param onLend is called before the file is handed out
 */
export function spoolFileOn(
  fd: number,
  release: (fd: number | null) => void,
  onLend: () => void = () => {},
): SpoolFile {
  let end = 0;
  let lent = false;
  return {
    append(bytes) {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, end + at);
      end += bytes.length;
    },
    read: (into, at) => readSync(fd, into, 0, into.length, at),
    lend() {
      if (!lent) onLend();
      lent = true;
      return fd;
    },
    close() {
      // A scanner that has given up on it may still have it mapped: cut short, it would kill it (SIGBUS).
      if (lent) closeSync(fd);
      release(lent ? null : emptied(fd));
    },
  };
}

function emptied(fd: number): number | null {
  try {
    ftruncateSync(fd, 0);
    return fd;
  } catch {
    closeSync(fd);
    return null;
  }
}

/** O_TMPFILE (`__O_TMPFILE | O_DIRECTORY` of fcntl.h), which node:constants does not name. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/**
 * The descriptor of an empty file without a name in `directory`: the file is gone when it is closed, however the
 * process ends.
 * @throws Error of the system call that failed
 */
export function openNameless(directory: string): number {
  try {
    return openSync(directory, constants.O_RDWR | O_TMPFILE, 0o600);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    // Not every file system can: NFS and some overlays answer so.
    if (code !== "EOPNOTSUPP" && code !== "EISDIR" && code !== "EINVAL") throw error;
  }
  const path = join(directory, `clamav-milter.${process.pid}.${crypto.randomUUID()}`);
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  unlinkSync(path);
  return fd;
}
