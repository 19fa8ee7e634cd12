/** Pipes as queues between the threads of a process: what one writes, exactly one of the others reads. */
import { dlopen, FFIType, type Pointer, ptr } from "bun:ffi";
import { fixedMemory } from "./fixed-memory.ts";
import { check, OsError } from "./libc.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // int pipe2(int pipefd[2], int flags);
  pipe2: { args: [FFIType.ptr, FFIType.i32], returns: FFIType.i32 },
  // ssize_t read(int fd, void *buf, size_t count);
  read: { args: [FFIType.i32, FFIType.ptr, FFIType.u64], returns: FFIType.i64 },
  // ssize_t write(int fd, const void *buf, size_t count);
  write: { args: [FFIType.i32, FFIType.ptr, FFIType.u64], returns: FFIType.i64 },
});

const O_CLOEXEC = 0o2000000;
const NUMBER = 4;

/** A pipe of 32-bit numbers. */
export interface NumberPipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

/** @throws OsError */
export function numberPipe(): NumberPipe {
  const pair = new Int32Array(2);
  check("pipe2", libc.pipe2(ptr(pair), O_CLOEXEC));
  return { readEnd: pair[0] ?? -1, writeEnd: pair[1] ?? -1 };
}

/** Takes numbers out of a pipe, again and again into the same memory. */
export class NumberReader {
  readonly #fd: number;
  readonly #number = fixedMemory(NUMBER);
  readonly #at: Pointer = ptr(this.#number);

  constructor(readEnd: number) {
    this.#fd = readEnd;
  }

  /** Blocks the thread until there is one. @throws OsError when the pipe has ended */
  next(): number {
    for (;;) {
      const count = Number(libc.read(this.#fd, this.#at, NUMBER));
      if (count === NUMBER) return this.#number.readInt32LE(0);
      if (count >= 0) throw new OsError("read", 0);
      try {
        check("read", count);
      } catch (error) {
        if (!(error instanceof OsError && error.code === "EINTR")) throw error;
      }
    }
  }
}

/** Puts a number into a pipe. Blocks when 16,000 wait there. @throws OsError */
export function putNumber(writeEnd: number, value: number): void {
  const bytes = new Int32Array([value]);
  check("write", Number(libc.write(writeEnd, ptr(bytes), NUMBER)));
}
