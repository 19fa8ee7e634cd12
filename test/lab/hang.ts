/** Makes a thread hang as a fault in a program would: it is there, not stopped for anybody to see, and does nothing. */
import { dlopen, FFIType } from "bun:ffi";
import { readdirSync, readFileSync } from "node:fs";

const { symbols: libc } = dlopen("libc.so.6", {
  // long ptrace(enum __ptrace_request op, pid_t pid, void *addr, void *data);
  ptrace: { args: [FFIType.i64, FFIType.i32, FFIType.u64, FFIType.u64], returns: FFIType.i64 },
  // pid_t waitpid(pid_t pid, int *wstatus, int options);
  waitpid: { args: [FFIType.i32, FFIType.u64, FFIType.i32], returns: FFIType.i32 },
});

const PTRACE_SEIZE = 0x4206;
const PTRACE_INTERRUPT = 0x4207;
const WNOHANG_WALL = 0x1 | 0x40000000;
const POLL = 20;

/**
 * Holds one thread until its process is killed. The other threads go on.
 * @param thread its id; a process's own id for its main thread
 * @throws Error when that is not allowed
 */
export function hang(thread: number): void {
  for (const request of [PTRACE_SEIZE, PTRACE_INTERRUPT]) {
    if (Number(libc.ptrace(request, thread, 0, 0)) !== 0) throw new Error(`thread ${thread} cannot be held`);
  }
  // Whoever holds a thread is told first of its end, and has to take note, or it stays as a zombie.
  const timer = setInterval(() => {
    libc.waitpid(thread, 0, WNOHANG_WALL);
    if (!isThere(thread)) clearInterval(timer);
  }, POLL);
  timer.unref();
}

function isThere(thread: number): boolean {
  try {
    readFileSync(`/proc/${thread}/stat`);
    return true;
  } catch {
    return false;
  }
}

/** Threads of a process by id, the main one first. */
export function threadsOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`)
    .map(Number)
    .sort((a, b) => a - b);
}
