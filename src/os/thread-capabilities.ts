/**
 * Capabilities belong to threads, capset(2) works on the calling one alone, and unlike for user ids the C library
 * does not tell the other threads. The runtime has a thread of its own before the first line of this program runs;
 * when the process was started with an ambient capability, that thread has it too, and it blocks all signals.
 *
 * Two signals cannot be blocked through the C library: those it uses itself. One of them, SIGSETXID, is what makes
 * every thread follow a setresuid(2). It is borrowed for a moment here: a handler of a few instructions, which does
 * capset(2) to nothing, is put in its place with the bare system call, each thread that has something to lose gets
 * the signal, and the C library's handler is put back.
 */

import { dlopen, FFIType, type Pointer, ptr } from "bun:ffi";
import { closeSync, constants, openSync } from "node:fs";
import { hasCapability } from "./credential-calls.ts";
import { check, OsError } from "./libc.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // long syscall(long number, ...); four arguments are enough here.
  syscall: {
    args: [FFIType.i64, FFIType.i64, FFIType.i64, FFIType.i64, FFIType.i64],
    returns: FFIType.i32,
  },
  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
  mmap: {
    args: [FFIType.u64, FFIType.u64, FFIType.i32, FFIType.i32, FFIType.i32, FFIType.i64],
    returns: FFIType.ptr,
  },
  // int mprotect(void *addr, size_t len, int prot);
  mprotect: { args: [FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i32 },
  // void *memcpy(void *dest, const void *src, size_t n);
  memcpy: { args: [FFIType.ptr, FFIType.ptr, FFIType.u64], returns: FFIType.ptr },
  // int usleep(useconds_t usec);
  usleep: { args: [FFIType.u32], returns: FFIType.i32 },
});

/** What differs between processors: numbers of system calls, and the instructions of the handler. */
interface Machine {
  readonly rtSigaction: number;
  readonly tgkill: number;
  readonly getdents64: number;
  readonly lseek: number;
  /** capset(&header, &data) with these at HEADER and DATA of the page, then return; at most RESTORER bytes. */
  readonly handler: readonly number[];
  /** Where a handler returns to: rt_sigreturn(2). Empty where the kernel has its own. */
  readonly restorer: readonly number[];
}

const RESTORER = 0x20;
const HEADER = 0x40;
const DATA = 0x48;

const MACHINES: Readonly<Record<string, Machine>> = {
  x64: {
    rtSigaction: 13,
    tgkill: 234,
    getdents64: 217,
    lseek: 8,
    handler: [
      ...[0xb8, 126, 0, 0, 0], // mov eax, 126 (capset)
      ...[0x48, 0x8d, 0x3d, HEADER - 12, 0, 0, 0], // lea rdi, [rip + …]: HEADER
      ...[0x48, 0x8d, 0x35, DATA - 19, 0, 0, 0], // lea rsi, [rip + …]: DATA
      ...[0x0f, 0x05], // syscall
      0xc3, // ret
    ],
    restorer: [
      ...[0xb8, 15, 0, 0, 0], // mov eax, 15 (rt_sigreturn)
      ...[0x0f, 0x05], // syscall
    ],
  },
  arm64: {
    rtSigaction: 134,
    tgkill: 131,
    getdents64: 61,
    lseek: 62,
    handler: [
      ...[0x68, 0x0b, 0x80, 0xd2], // mov x8, #91 (capset)
      ...[0xe0, 0x01, 0x00, 0x10], // adr x0, HEADER
      ...[0x01, 0x02, 0x00, 0x10], // adr x1, DATA
      ...[0x01, 0x00, 0x00, 0xd4], // svc #0
      ...[0xc0, 0x03, 0x5f, 0xd6], // ret
    ],
    restorer: [],
  },
};

const PAGE = 4096;
const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
const CAPABILITY_VERSION_3 = 0x20080522;

const SIGSETXID = 33;
const SA_RESTORER = 0x04000000n;
const SA_RESTART = 0x10000000n;
// A thread that has a stack for signals may have little room on its own.
const SA_ONSTACK = 0x08000000n;
const SIGNAL_SET_BYTES = 8;
const ALL_SIGNALS = 0xffff_ffff_ffff_ffffn;

const PAUSE_MICROSECONDS = 20;

function thisMachine(): Machine {
  const machine = MACHINES[process.arch];
  if (machine === undefined) throw new OsError(`capset on ${process.arch}`, 38);
  return machine;
}

/** The threads of this process, still to be seen when a change of the root has put /proc out of reach. */
export interface ThreadList {
  /** The ids of all threads. */
  read(): readonly number[];
  /** Must be called: an open directory is a way out of the jail. */
  close(): void;
}

/** @throws what opening a file throws, when /proc is not mounted */
export function openThreadList(): ThreadList {
  const fd = openSync("/proc/self/task", constants.O_RDONLY | constants.O_DIRECTORY);
  return { read: () => readThreads(fd), close: () => closeSync(fd) };
}

/** Reads an open /proc/self/task from its start: struct linux_dirent64 has its length at 16, the name at 19. */
function readThreads(fd: number): readonly number[] {
  const machine = thisMachine();
  check("lseek", libc.syscall(machine.lseek, fd, 0, 0, 0));
  const buffer = Buffer.alloc(16 * 1024);
  const tids: number[] = [];
  for (;;) {
    const length = check("getdents64", libc.syscall(machine.getdents64, fd, ptr(buffer), buffer.length, 0));
    if (length === 0) return tids;
    for (let at = 0; at < length; at += buffer.readUInt16LE(at + 16)) {
      const name = buffer.toString("latin1", at + 19, buffer.indexOf(0, at + 19));
      if (/^\d+$/.test(name)) tids.push(Number(name));
    }
  }
}

/**
 * Takes every capability from every thread but the main one. The caller is the main thread; it waits, so that no
 * code of the program runs meanwhile.
 * @param patience milliseconds to wait at most
 * @returns the threads that have capabilities still: none, unless one could not be reached in time
 */
export function clearOtherThreads(threads: ThreadList, patience: number): readonly number[] {
  const first = threadsWithCapabilities(threads);
  return first.length === 0 && threadsWithCapabilities(threads).length === 0
    ? []
    : withBorrowedSignal((signal) => signalUntilClear(threads, signal, performance.now() + patience));
}

function threadsWithCapabilities(threads: ThreadList): readonly number[] {
  return threads.read().filter((tid) => tid !== process.pid && hasCapability(tid) === true);
}

/**
 * A thread can be born of one that has capabilities between the look into the list and the signal to its parent:
 * it is over when two looks in a row find none. No thread is signalled twice, so that none has a signal left to
 * take when the handler is gone.
 */
function signalUntilClear(
  threads: ThreadList,
  signal: (tid: number) => void,
  end: number,
): readonly number[] {
  const signalled = new Set<number>();
  for (let clear = 0; ; ) {
    const left = threadsWithCapabilities(threads);
    clear = left.length === 0 ? clear + 1 : 0;
    if (clear === 2 || performance.now() > end) return left;
    for (const tid of left) {
      if (signalled.has(tid)) continue;
      signalled.add(tid);
      signal(tid);
    }
    if (left.length > 0) libc.usleep(PAUSE_MICROSECONDS);
  }
}

/**
 * Does something while SIGSETXID makes a thread drop its capabilities. The C library's handler comes back when
 * none is left; when one is, its signal may come late, and must not find that handler. The page stays for good:
 * a thread that has dropped its capabilities may not have left the handler yet.
 */
function withBorrowedSignal(work: (signal: (tid: number) => void) => readonly number[]): readonly number[] {
  const machine = thisMachine();
  page ??= makeHandlerPage(machine);
  // The kernel's struct sigaction, the same on both processors: handler, flags, restorer, mask.
  const restorer = machine.restorer.length > 0 ? BigInt(page + RESTORER) : 0n;
  const flags = SA_RESTART | SA_ONSTACK | (restorer === 0n ? 0n : SA_RESTORER);
  const ours = new BigUint64Array([BigInt(page), flags, restorer, ALL_SIGNALS]);
  const before = new BigUint64Array(4);
  setAction(machine, ptr(ours), ptr(before));
  const left = work((tid) => {
    // It fails when the thread has ended meanwhile, which is as good.
    libc.syscall(machine.tgkill, process.pid, tid, SIGSETXID, 0);
  });
  if (left.length === 0) setAction(machine, ptr(before), 0);
  return left;
}

function setAction(machine: Machine, action: Pointer, old: Pointer | 0): void {
  check("rt_sigaction", libc.syscall(machine.rtSigaction, SIGSETXID, action, old, SIGNAL_SET_BYTES));
}

/** Made once. */
let page: Pointer | undefined;

/** A page with the handler and its data, first written, then executable, never both at once. */
function makeHandlerPage(machine: Machine): Pointer {
  const content = new Uint8Array(DATA + 24);
  content.set(machine.handler, 0);
  content.set(machine.restorer, RESTORER);
  new DataView(content.buffer).setUint32(HEADER, CAPABILITY_VERSION_3, true);
  const made = libc.mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  // MAP_FAILED is -1.
  if (made === null || typeof made !== "number" || made < 0 || made >= 2 ** 47) throw new OsError("mmap", 12);
  libc.memcpy(made, ptr(content), content.length);
  check("mprotect", libc.mprotect(made, PAGE, PROT_READ | PROT_EXEC));
  return made;
}
