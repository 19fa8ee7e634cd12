/** The system calls that change what a process may do. Every binding stands with its C prototype. */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { check, OsError } from "./libc.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // int initgroups(const char *user, gid_t group);
  initgroups: { args: [FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  // int setgroups(size_t size, const gid_t *list);
  setgroups: { args: [FFIType.u64, FFIType.ptr], returns: FFIType.i32 },
  // int setresgid(gid_t rgid, gid_t egid, gid_t sgid);
  setresgid: { args: [FFIType.u32, FFIType.u32, FFIType.u32], returns: FFIType.i32 },
  // int setresuid(uid_t ruid, uid_t euid, uid_t suid);
  setresuid: { args: [FFIType.u32, FFIType.u32, FFIType.u32], returns: FFIType.i32 },
  // int getresuid(uid_t *ruid, uid_t *euid, uid_t *suid);
  getresuid: { args: [FFIType.ptr, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
  // int getresgid(gid_t *rgid, gid_t *egid, gid_t *sgid);
  getresgid: { args: [FFIType.ptr, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
  // int capget(cap_user_header_t hdrp, cap_user_data_t datap);
  capget: { args: [FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
  // int capset(cap_user_header_t hdrp, const cap_user_data_t datap);
  capset: { args: [FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
  // int prctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4, unsigned long arg5);
  prctl: { args: [FFIType.i32, FFIType.u64, FFIType.u64, FFIType.u64, FFIType.u64], returns: FFIType.i32 },
  // int setrlimit(int resource, const struct rlimit *rlim);
  setrlimit: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  // int chroot(const char *path);
  chroot: { args: [FFIType.ptr], returns: FFIType.i32 },
});

/** The real, effective and saved ids. */
export type Ids = readonly [real: number, effective: number, saved: number];

/** The supplementary groups that the host gives a user. The C library tells every thread, as below. */
export function initGroups(user: string, gid: number): void {
  const name = Buffer.from(`${user}\0`);
  check("initgroups", libc.initgroups(ptr(name), gid));
}

/** No supplementary group but this one. */
export function setOnlyGroup(gid: number): void {
  const list = new Uint32Array([gid]);
  check("setgroups", libc.setgroups(1, ptr(list)));
}

/** All three group ids, on every thread: the C library makes each of them do the system call. */
export function setGroupIds(gid: number): void {
  check("setresgid", libc.setresgid(gid, gid, gid));
}

/** All three user ids, on every thread. */
export function setUserIds(uid: number): void {
  check("setresuid", libc.setresuid(uid, uid, uid));
}

export function userIds(): Ids {
  const ids = new Uint32Array(3);
  check("getresuid", libc.getresuid(ptr(ids, 0), ptr(ids, 4), ptr(ids, 8)));
  return [ids[0] ?? 0, ids[1] ?? 0, ids[2] ?? 0];
}

export function groupIds(): Ids {
  const ids = new Uint32Array(3);
  check("getresgid", libc.getresgid(ptr(ids, 0), ptr(ids, 4), ptr(ids, 8)));
  return [ids[0] ?? 0, ids[1] ?? 0, ids[2] ?? 0];
}

/** CAP_SYS_CHROOT: may change its own root directory. */
const CAP_SYS_CHROOT = 18;
const CAPABILITY_VERSION_3 = 0x20080522;

/** A `struct __user_cap_header_struct`: version, thread (0: the calling one). */
function capabilityHeader(tid: number): Uint32Array {
  return new Uint32Array([CAPABILITY_VERSION_3, tid]);
}

/** Whether a thread of this process has any capability, permitted, effective or inheritable; null: it is gone. */
export function hasCapability(tid: number): boolean | null {
  // Two struct __user_cap_data_struct (capabilities 0 to 31, 32 to 63) of effective, permitted, inheritable.
  const data = new Uint32Array(6);
  try {
    check("capget", libc.capget(ptr(capabilityHeader(tid)), ptr(data)));
  } catch (error) {
    if (error instanceof OsError && error.code === "ESRCH") return null;
    throw error;
  }
  return data.some((word) => word !== 0);
}

/** The calling thread keeps no capability; what was ambient goes with the permitted and inheritable ones. */
export function clearOwnCapabilities(): void {
  check("capset", libc.capset(ptr(capabilityHeader(0)), ptr(new Uint32Array(6))));
}

const PR_SET_DUMPABLE = 4;
const PR_GET_DUMPABLE = 3;
const PR_SET_KEEPCAPS = 8;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const RLIMIT_CORE = 4;

/** Of the calling thread's permitted capabilities only the one to change the root stays, and programs inherit it. */
export function keepOnlyChroot(): void {
  const bit = 2 ** CAP_SYS_CHROOT;
  const data = new Uint32Array([bit, bit, bit, 0, 0, 0]);
  check("capset", libc.capset(ptr(capabilityHeader(0)), ptr(data)));
  check("prctl(PR_CAP_AMBIENT)", libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_CHROOT, 0, 0));
}

/** Whether the calling thread's permitted capabilities outlive its change from root to a user. */
export function keepCapabilities(keep: boolean): void {
  check("prctl(PR_SET_KEEPCAPS)", libc.prctl(PR_SET_KEEPCAPS, keep ? 1 : 0, 0, 0, 0));
}

/** No other process of the same user can trace this one or read its memory; no core file is written. */
export function forbidTracing(): void {
  check("prctl(PR_SET_DUMPABLE)", libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
  const none = new BigUint64Array(2);
  check("setrlimit", libc.setrlimit(RLIMIT_CORE, ptr(none)));
}

/** Whether this process can be traced by others of the same user. */
export function isTraceable(): boolean {
  return check("prctl(PR_GET_DUMPABLE)", libc.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)) === 1;
}

/** The root directory of the whole process becomes `path`; the working directory stays where it is. */
export function changeRoot(path: string): void {
  const name = Buffer.from(`${path}\0`);
  check("chroot", libc.chroot(ptr(name)));
}
