/** Locks the file that is named, says so, and keeps the lock until standard input ends. */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { openSync } from "node:fs";

const { symbols: libc } = dlopen("libc.so.6", {
  // int fcntl(int fd, int cmd, struct flock *lock);
  fcntl: { args: [FFIType.i32, FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
});
const F_SETLK = 6;
const F_WRLCK = 1;

const lock = Buffer.alloc(32);
lock.writeInt16LE(F_WRLCK, 0);
if (libc.fcntl(openSync(process.argv[2] ?? "", "a"), F_SETLK, ptr(lock)) !== 0) process.exit(1);
process.stdout.write("locked\n");
await Bun.stdin.text();
