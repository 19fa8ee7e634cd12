/** Files in memory, sealed: what a scanner is passed cannot be changed by whoever has passed it. */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { writeSync, writevSync } from "node:fs";
import { check, closeDescriptor } from "./libc.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // int memfd_create(const char *name, unsigned int flags);
  memfd_create: { args: [FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  // int fcntl(int fd, int cmd, int arg);
  fcntl: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
});

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_NOEXEC_SEAL = 8;
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
/** F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE of fcntl.h. */
const ALL_SEALS = 1 | 2 | 4 | 8;
/** IOV_MAX of Linux is 1024. */
const MOST_AT_ONCE = 512;
/** What /proc shows of the file; kept alive, since its address is handed out. */
const NAME: Uint8Array = Buffer.from("clamav-milter\0");

/**
 * The descriptor of an empty file in memory, to be sealed when it is complete.
 * @throws OsError of the system call that failed
 */
export function openMemoryFile(): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const fd = libc.memfd_create(ptr(NAME), flags);
  // With vm.memfd_noexec=2 none is made that may be executed; before Linux 6.3 the flag is not known.
  return fd >= 0 ? fd : check("memfd_create", libc.memfd_create(ptr(NAME), flags | MFD_NOEXEC_SEAL));
}

/**
 * From now on nobody can change it.
 * @throws OsError of the system call that failed
 */
export function sealMemoryFile(fd: number): void {
  check("fcntl", libc.fcntl(fd, F_ADD_SEALS, ALL_SEALS));
}

/**
 * The descriptor of a file in memory with these bytes, which nobody can change any more.
 * @throws OsError or Error of the system call that failed
 */
export function sealedFile(parts: Iterable<Uint8Array>): number {
  const fd = openMemoryFile();
  try {
    const all = [...parts];
    // Memory takes all at once, and if it once does not, the rest follows.
    let written = all.length > 1 ? writevSync(fd, all.slice(0, MOST_AT_ONCE)) : 0;
    for (const part of all) {
      for (let at = Math.min(written, part.length); at < part.length; ) {
        at += writeSync(fd, part, at, part.length - at);
      }
      written = Math.max(0, written - part.length);
    }
    sealMemoryFile(fd);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/** Whether a file in memory is sealed against every change. False for any other file. */
export function isSealed(fd: number): boolean {
  const seals = libc.fcntl(fd, F_GET_SEALS, 0);
  return seals >= 0 && (seals & ALL_SEALS) === ALL_SEALS;
}
