/**
 * The C library, as far as the runtime does not offer it. Every binding stands with its C prototype. What fails
 * throws an OsError that names the call and the reason.
 */
import { dlopen, FFIType, ptr, read } from "bun:ffi";
import { constants } from "node:os";

const { symbols: libc } = dlopen("libc.so.6", {
  // int socket(int domain, int type, int protocol);
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  // int bind(int sockfd, const struct sockaddr *addr, socklen_t addrlen);
  bind: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  // int listen(int sockfd, int backlog);
  listen: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  // int connect(int sockfd, const struct sockaddr *addr, socklen_t addrlen);
  connect: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  // int setsockopt(int sockfd, int level, int optname, const void *optval, socklen_t optlen);
  setsockopt: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.u32],
    returns: FFIType.i32,
  },
  // int socketpair(int domain, int type, int protocol, int sv[2]);
  socketpair: { args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  // int close(int fd);
  close: { args: [FFIType.i32], returns: FFIType.i32 },
  // int dup(int oldfd);
  dup: { args: [FFIType.i32], returns: FFIType.i32 },
  // mode_t umask(mode_t mask);
  umask: { args: [FFIType.u32], returns: FFIType.u32 },
  // int getrlimit(int resource, struct rlimit *rlim);
  getrlimit: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  // int setrlimit(int resource, const struct rlimit *rlim);
  setrlimit: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  // int prctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4, unsigned long arg5);
  prctl: { args: [FFIType.i32, FFIType.u64, FFIType.u64, FFIType.u64, FFIType.u64], returns: FFIType.i32 },
  // int flock(int fd, int operation);
  flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  // int clock_gettime(clockid_t clockid, struct timespec *tp);
  clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  // int *__errno_location(void);
  __errno_location: { args: [], returns: FFIType.ptr },
});

/** A system call failed. */
export class OsError extends Error {
  /** The errno's name, such as `EADDRINUSE`. */
  readonly code: string;

  constructor(call: string, errno: number) {
    const code = errnoName(errno);
    super(`${call}: ${code}`);
    this.name = "OsError";
    this.code = code;
  }
}

/** Two numbers have two names; the first of each is the usual one (`EAGAIN`, not `EWOULDBLOCK`). */
const ERRNO_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno)
    .reverse()
    .map(([name, number]) => [number, name]),
);

function errnoName(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? `errno ${errno}`;
}

/** The result, unless it tells an error. @throws OsError */
export function check(call: string, result: number): number {
  if (result >= 0) return result;
  const where = libc.__errno_location();
  throw new OsError(call, where === null ? 0 : read.i32(where, 0));
}

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const LOCK_EX = 2;
const LOCK_NB = 4;
const RLIMIT_NOFILE = 7;
const PR_SET_PDEATHSIG = 1;
const PR_SET_NAME = 15;
const CLOCK_MONOTONIC = 1;

/** A stream socket, closed on exec. */
export function streamSocket(family: number, nonBlocking: boolean): number {
  const type = SOCK_STREAM | SOCK_CLOEXEC | (nonBlocking ? SOCK_NONBLOCK : 0);
  return check("socket", libc.socket(family, type, 0));
}

/** Binds to a socket address made by sockaddr.ts. */
export function bindSocket(fd: number, address: Uint8Array): void {
  check("bind", libc.bind(fd, ptr(address), address.length));
}

export function listenSocket(fd: number, backlog: number): void {
  check("listen", libc.listen(fd, backlog));
}

/** Connects a blocking socket: for unix sockets only, where it does not wait for a network. */
export function connectSocket(fd: number, address: Uint8Array): void {
  check("connect", libc.connect(fd, ptr(address), address.length));
}

/** A listening port may be taken again at once after a restart. */
export function reuseAddress(fd: number): void {
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

/** An IPv6 socket takes IPv6 only, so that `inet:` and `inet6:` can have the same port. */
export function onlyIpv6(fd: number): void {
  setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
}

function setOption(fd: number, level: number, option: number, value: number): void {
  const bytes = new Int32Array([value]);
  check("setsockopt", libc.setsockopt(fd, level, option, ptr(bytes), bytes.byteLength));
}

/** A pair of connected stream sockets, closed on exec. */
export function socketPair(): [number, number] {
  const pair = new Int32Array(2);
  check("socketpair", libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ptr(pair)));
  return [pair[0] ?? -1, pair[1] ?? -1];
}

/** Locks a file for this process's life (flock(2)); false when another process has it. */
export function lockExclusively(fd: number): boolean {
  try {
    check("flock", libc.flock(fd, LOCK_EX | LOCK_NB));
    return true;
  } catch (error) {
    if (error instanceof OsError && error.code === "EAGAIN") return false;
    throw error;
  }
}

export function closeDescriptor(fd: number): void {
  check("close", libc.close(fd));
}

export function duplicate(fd: number): number {
  return check("dup", libc.dup(fd));
}

/** Sets the file mode creation mask; answers the old one. */
export function setUmask(mask: number): number {
  return libc.umask(mask);
}

/**
 * Raises the soft limit on open files to the hard one, since every MTA connexion is one.
 * @returns the limit in force afterwards
 */
export function raiseFileLimit(): number {
  const limits = new BigUint64Array(2);
  check("getrlimit", libc.getrlimit(RLIMIT_NOFILE, ptr(limits)));
  const [soft = 0n, hard = 0n] = limits;
  if (soft < hard) {
    limits[0] = hard;
    check("setrlimit", libc.setrlimit(RLIMIT_NOFILE, ptr(limits)));
  }
  return Number(hard);
}

/** The kernel sends `signal` to this process when its parent dies, so that not even a hung one is left behind. */
export function dieWithParent(signal: number): void {
  check("prctl", libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0));
}

/** What `ps -o comm` and `pkill` call this process, or `top -H` the calling thread; the kernel keeps 15 bytes. */
export function nameProcess(name: string): void {
  const bytes = Buffer.from(`${name}\0`, "latin1");
  check("prctl", libc.prctl(PR_SET_NAME, ptr(bytes), 0, 0, 0));
}

/** Microseconds of CLOCK_MONOTONIC as other programs see it; the runtime's own clock begins with the process. */
export function monotonicMicroseconds(): bigint {
  // struct timespec { time_t tv_sec; long tv_nsec; };
  const time = new BigInt64Array(2);
  check("clock_gettime", libc.clock_gettime(CLOCK_MONOTONIC, ptr(time)));
  const [seconds = 0n, nanoseconds = 0n] = time;
  return seconds * 1_000_000n + nanoseconds / 1000n;
}
