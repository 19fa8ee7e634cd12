/** Whether a process that this one has started is stopped, told by the kernel: no /proc is needed, no load hides it. */
import { dlopen, FFIType, type Pointer, ptr } from "bun:ffi";
import { fixedMemory } from "./fixed-memory.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // int waitid(idtype_t idtype, id_t id, siginfo_t *infop, int options);
  waitid: { args: [FFIType.i32, FFIType.u32, FFIType.ptr, FFIType.i32], returns: FFIType.i32 },
});

const P_PID = 1;
/** Not WEXITED: who ended is left to the runtime. */
const WNOHANG_WSTOPPED_WCONTINUED = 1 | 2 | 8;
const CLD_STOPPED = 5;
/** siginfo_t { int si_signo, si_errno, si_code; …; pid_t si_pid at 16; … } has 128 bytes. */
const SIGINFO = { size: 128, code: 8, pid: 16 } as const;

/** Looks at one child process again and again. */
export class StopWatch {
  readonly #pid: number;
  readonly #info = fixedMemory(SIGINFO.size);
  readonly #infoAt: Pointer = ptr(this.#info);
  #stopped = false;

  /** @param pid of a child of this process */
  constructor(pid: number) {
    this.#pid = pid;
  }

  /**
   * Whether the process has been stopped (SIGSTOP and its like, not a debugger's hold) ever since the last call: one
   * that went on in between, however shortly, has not.
   */
  stoppedSinceLastLook(): boolean {
    this.#info.fill(0);
    if (libc.waitid(P_PID, this.#pid, this.#infoAt, WNOHANG_WSTOPPED_WCONTINUED) !== 0) return false;
    // The kernel tells each change once.
    if (this.#info.readInt32LE(SIGINFO.pid) !== this.#pid) return this.#stopped;
    this.#stopped = this.#info.readInt32LE(SIGINFO.code) === CLD_STOPPED;
    return false;
  }
}
