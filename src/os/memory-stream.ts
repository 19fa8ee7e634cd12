/** Files in memory that are written piece by piece. */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { check } from "./libc.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // int memfd_create(const char *name, unsigned int flags);
  memfd_create: { args: [FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  // int dup2(int oldfd, int newfd);
  dup2: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
});

const MFD_CLOEXEC = 1;
/** Kept alive, since its address is handed out. */
const NAME: Uint8Array = Buffer.from("clamav-milter\0");

/** The descriptor of an empty file in memory. @throws OsError */
export function memoryStream(): number {
  return check("memfd_create", libc.memfd_create(ptr(NAME), MFD_CLOEXEC));
}

/** Makes `place` another descriptor of what `fd` is open on. @throws OsError */
export function replaceDescriptor(fd: number, place: number): void {
  check("dup2", libc.dup2(fd, place));
}
