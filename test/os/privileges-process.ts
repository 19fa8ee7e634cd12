/**
 * A supervisor that gives up root and children that it places in a jail, as small as they can be. Not a test:
 * compiled and started by one. Every process tells what it sees as one JSON line.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { pbkdf2 } from "node:crypto";
import { openSync, readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { lookUpGroup, lookUpUser } from "../../src/os/accounts.ts";
import { describeRights, readRights } from "../../src/os/capabilities.ts";
import { bindSocket, check, dieWithParent, listenSocket, OsError, streamSocket } from "../../src/os/libc.ts";
import { becomeUser, confineChrootRight, dropAllRights, enterJail } from "../../src/os/privileges.ts";
import type { Attempts, Plan, Report } from "./privileges-plan.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // long ptrace(enum __ptrace_request request, pid_t pid, void *addr, void *data);
  ptrace: { args: [FFIType.i64, FFIType.i64, FFIType.i64, FFIType.i64], returns: FFIType.i64_fast },
  // ssize_t process_vm_readv(pid_t pid, const struct iovec *local_iov, unsigned long liovcnt,
  //   const struct iovec *remote_iov, unsigned long riovcnt, unsigned long flags);
  process_vm_readv: {
    args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.ptr, FFIType.u64, FFIType.u64],
    returns: FFIType.i64_fast,
  },
  // int setresuid(uid_t ruid, uid_t euid, uid_t suid);
  setresuid: { args: [FFIType.u32, FFIType.u32, FFIType.u32], returns: FFIType.i32 },
  // int setresgid(gid_t rgid, gid_t egid, gid_t sgid);
  setresgid: { args: [FFIType.u32, FFIType.u32, FFIType.u32], returns: FFIType.i32 },
  // int chroot(const char *path);
  chroot: { args: [FFIType.ptr], returns: FFIType.i32 },
  // long syscall(long number, ...);
  syscall: {
    args: [FFIType.i64, FFIType.i64, FFIType.i64, FFIType.i64, FFIType.i64],
    returns: FFIType.i32,
  },
  // int open(const char *path, int flags, mode_t mode);
  open: { args: [FFIType.ptr, FFIType.i32, FFIType.u32], returns: FFIType.i32 },
});

const SIGKILL = 9;
const SIG_BLOCK = 0;
/** The number of the system call. */
const RT_SIGPROCMASK: Readonly<Record<string, number>> = { x64: 14, arm64: 135 };
const PTRACE_DETACH = 17;
const PTRACE_SEIZE = 0x4206;
const CHILD_LISTENER = 3;

function tell(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

/** A loopback port that the kernel chose, as a descriptor only. */
function listener(): number {
  const fd = streamSocket(2, true);
  // struct sockaddr_in: family (host order), port, 127.0.0.1.
  bindSocket(fd, Uint8Array.from([2, 0, 0, 0, 127, 0, 0, 1, ...new Array<number>(8).fill(0)]));
  listenSocket(fd, 5);
  return fd;
}

async function superviseJail(plan: Plan): Promise<void> {
  const listening = plan.user === null ? null : listener();
  if (plan.user !== null) {
    const user = lookUpUser(plan.user);
    if (user === null) throw new Error(`no user ${plan.user}`);
    const { keepChroot, supplementaryGroups } = plan;
    becomeUser(user, { keepChroot, supplementaryGroups });
  }
  const start = (stdin: "pipe" | "inherit") =>
    Bun.spawn(["/proc/self/exe", "child", JSON.stringify(plan)], {
      env: {},
      stdio: [stdin, "inherit", "inherit", listening ?? "ignore"],
    });
  const children = Array.from({ length: plan.children - 1 }, () => start("pipe"));
  const last = start("inherit");
  tell({
    role: "supervisor",
    pid: process.pid,
    rights: describeRights(readFileSync("/proc/self/status", "latin1")),
    children: [...children, last].map(({ pid }) => pid),
  });
  const confine = setInterval(confineChrootRight, 20);
  process.exitCode = await last.exited;
  clearInterval(confine);
  for (const child of children) {
    child.kill("SIGKILL");
    await child.exited;
  }
}

/** Threads of every kind that the runtime has: JIT, garbage collection, pool for files and hashes. */
async function makeThreads(): Promise<void> {
  compute();
  await Promise.all(Array.from({ length: 8 }, () => readFile("/proc/self/stat")));
  await Promise.all(Array.from({ length: 8 }, () => promisify(pbkdf2)("a", "b", 1000, 20, "sha256")));
  Bun.gc(true);
}

/** The main thread blocks even what the C library does not let one block; threads that it starts inherit that. */
function blockAllSignals(): void {
  const all = new BigUint64Array([0xffff_ffff_ffff_ffffn]);
  check("rt_sigprocmask", libc.syscall(RT_SIGPROCMASK[process.arch] ?? -1, SIG_BLOCK, ptr(all), 0, 8));
}

/** Enough of the same for the optimising compiler. */
function compute(): number {
  let sum = 0;
  for (let i = 0; i < 5_000_000; i++) sum = (sum + Math.imul(i, 31)) | 0;
  return sum;
}

/** One look at the threads: how many there are, and how many have a right. The runtime starts and ends them at will. */
function countThreads(): { readonly before: number; readonly threads: number } {
  const statuses = readdirSync("/proc/self/task").flatMap((tid) => {
    try {
      return [readFileSync(`/proc/self/task/${tid}/status`, "latin1")];
    } catch {
      return [];
    }
  });
  const before = statuses.filter((status) => readRights(status).capabilities !== 0n).length;
  return { before, threads: statuses.length };
}

async function liveInJail(plan: Plan): Promise<void> {
  dieWithParent(SIGKILL);
  if (plan.deaf) blockAllSignals();
  if (plan.busy) {
    await makeThreads();
    openSync("/", "r");
  }
  const { before, threads } = countThreads();
  const start = performance.now();
  if (plan.jail === null) dropAllRights();
  else enterJail(plan.jail);
  const milliseconds = performance.now() - start;
  if (plan.user !== null) serve();
  await Bun.sleep(1);
  tell({ role: "child", pid: process.pid, before, threads, milliseconds, computed: compute() });
  for await (const line of createInterface({ input: process.stdin })) {
    const victims: readonly number[] = JSON.parse(line);
    tell(attack(victims));
  }
  process.exit(0);
}

function serve(): void {
  const options = {
    fd: CHILD_LISTENER,
    socket: {
      data: (socket: Bun.Socket, data: Buffer) => {
        socket.end(data);
      },
    },
  };
  Bun.listen(options);
}

/** What a process with hostile code would try; true where it succeeds. */
function attack(victims: readonly number[]): Attempts {
  const path = Buffer.from("/\0");
  return {
    role: "attack",
    root: libc.setresuid(0, 0, 0) >= 0 || libc.setresgid(0, 0, 0) >= 0,
    chroot: libc.chroot(ptr(path)) >= 0,
    victims: victims.map((pid) => ({ pid, traced: trace(pid), read: peek(pid), opened: openMemory(pid) })),
    files: filesSeen(),
  };
}

function trace(pid: number): boolean {
  if (libc.ptrace(PTRACE_SEIZE, pid, 0, 0) < 0) return false;
  libc.ptrace(PTRACE_DETACH, pid, 0, 0);
  return true;
}

function peek(pid: number): boolean {
  const buffer = new Uint8Array(8);
  const local = new BigUint64Array([BigInt(ptr(buffer)), 8n]);
  // Nothing is mapped at the first page; but the kernel looks at the right (EPERM) before the address (EFAULT).
  const remote = new BigUint64Array([4096n, 8n]);
  try {
    check("process_vm_readv", Number(libc.process_vm_readv(pid, ptr(local), 1, ptr(remote), 1, 0)));
    return true;
  } catch (error) {
    if (error instanceof OsError && error.code === "EPERM") return false;
    if (error instanceof OsError && error.code === "EFAULT") return true;
    throw error;
  }
}

function openMemory(pid: number): boolean {
  const path = Buffer.from(`/proc/${pid}/mem\0`);
  return libc.open(ptr(path), 0, 0) >= 0;
}

function filesSeen(): readonly string[] {
  return readdirSync("/");
}

try {
  if (process.argv[2] === "child") await liveInJail(JSON.parse(process.argv[3] ?? ""));
  else if (process.argv[2] === "group") tell({ role: "group", ...lookUpGroup(process.argv[3] ?? "") });
  else await superviseJail(JSON.parse(process.argv[3] ?? ""));
} catch (error) {
  if (!(error instanceof Error) || !("code" in error)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exit(1);
}
