import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { SpoolFile } from "./spool.ts";

/**
 * A file without a name in `directory`: it is gone when it is closed, however the process ends.
 * @throws Error of the system call that failed
 */
export function openSpoolFile(directory: string): SpoolFile {
  const fd = openNameless(directory);
  let end = 0;
  return {
    append(bytes) {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, end + at);
      end += bytes.length;
    },
    read: (into, at) => readSync(fd, into, 0, into.length, at),
    close: () => closeSync(fd),
  };
}

/** O_TMPFILE (`__O_TMPFILE | O_DIRECTORY` of fcntl.h), which node:constants does not name. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

function openNameless(directory: string): number {
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
