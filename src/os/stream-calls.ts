/** The server end of unix stream sockets by which descriptors come, for a thread that waits with epoll. */
import { dlopen, FFIType, type Pointer, ptr } from "bun:ffi";
import { fixedMemory } from "./fixed-memory.ts";
import { check, OsError } from "./libc.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // int accept4(int sockfd, struct sockaddr *addr, socklen_t *addrlen, int flags);
  accept4: { args: [FFIType.i32, FFIType.u64, FFIType.u64, FFIType.i32], returns: FFIType.i32 },
  // ssize_t recvmsg(int sockfd, struct msghdr *msg, int flags);
  recvmsg: { args: [FFIType.i32, FFIType.ptr, FFIType.i32], returns: FFIType.i64 },
  // ssize_t send(int sockfd, const void *buf, size_t len, int flags);
  send: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i64 },
  // int shutdown(int sockfd, int how);
  shutdown: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  // int getsockopt(int sockfd, int level, int optname, void *optval, socklen_t *optlen);
  getsockopt: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.ptr],
    returns: FFIType.i32,
  },
});

const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const SO_PEERCRED = 17;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SHUT_RDWR = 2;
const CMSGHDR = 16;
const MOST_DESCRIPTORS = 8;
const CONTROL = CMSGHDR + MOST_DESCRIPTORS * 4;
const MSGHDR = 56;
const CONTROL_LENGTH = 40;

/** A connexion that waits at a listening socket, or null when none does (any more). @throws OsError */
export function acceptConnexion(listener: number): number | null {
  try {
    return check("accept4", libc.accept4(listener, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK));
  } catch (error) {
    if (error instanceof OsError && ["EAGAIN", "ECONNABORTED", "EINTR"].includes(error.code)) return null;
    throw error;
  }
}

/** The user of the process at the other end of a unix socket. @throws OsError */
export function peerUser(fd: number): number {
  // struct ucred { pid_t pid; uid_t uid; gid_t gid; }
  const credentials = new Uint32Array(3);
  const size = new Uint32Array([credentials.byteLength]);
  check("getsockopt", libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ptr(credentials), ptr(size)));
  return credentials[1] ?? -1;
}

/** Ends a connexion in both directions; its descriptor stays. */
export function endConnexion(fd: number): void {
  libc.shutdown(fd, SHUT_RDWR);
}

/** Sends all of a short answer, or says that it cannot: the other end is gone, or does not read. */
export function sendAnswer(fd: number, bytes: Uint8Array): boolean {
  return Number(libc.send(fd, ptr(bytes), bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL)) === bytes.length;
}

/** What came in one piece. */
export interface Received {
  /** Empty at the end of the connexion. Valid until the next call. */
  readonly bytes: Uint8Array;
  readonly descriptors: readonly number[];
}

/** Receives bytes and descriptors, again and again into the same memory. */
export class Receiver {
  readonly #buffer: Buffer;
  readonly #control = fixedMemory(CONTROL);
  readonly #header = fixedMemory(MSGHDR);
  readonly #vector = fixedMemory(16);
  readonly #headerAt: Pointer = ptr(this.#header);

  constructor(size: number) {
    this.#buffer = fixedMemory(size);
    // struct iovec { void *base; size_t len; }, and struct msghdr as in descriptor-passing.ts.
    this.#vector.writeBigUInt64LE(BigInt(ptr(this.#buffer)), 0);
    this.#vector.writeBigUInt64LE(BigInt(size), 8);
    this.#header.writeBigUInt64LE(BigInt(ptr(this.#vector)), 16);
    this.#header.writeBigUInt64LE(1n, 24);
    this.#header.writeBigUInt64LE(BigInt(ptr(this.#control)), 32);
  }

  /** Null when nothing is there. @throws OsError `ECONNRESET` and the like */
  receive(fd: number): Received | null {
    this.#header.writeBigUInt64LE(BigInt(CONTROL), CONTROL_LENGTH);
    let count: number;
    try {
      const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
      count = check("recvmsg", Number(libc.recvmsg(fd, this.#headerAt, flags)));
    } catch (error) {
      if (error instanceof OsError && (error.code === "EAGAIN" || error.code === "EINTR")) return null;
      throw error;
    }
    return { bytes: this.#buffer.subarray(0, count), descriptors: this.#descriptors() };
  }

  #descriptors(): readonly number[] {
    if (this.#header.readUInt32LE(CONTROL_LENGTH) < CMSGHDR) return [];
    const control = this.#control;
    if (control.readInt32LE(8) !== SOL_SOCKET || control.readInt32LE(12) !== SCM_RIGHTS) return [];
    const length = Math.min(control.length, Number(control.readBigUInt64LE(0)));
    const descriptors: number[] = [];
    for (let at = CMSGHDR; at + 4 <= length; at += 4) descriptors.push(control.readInt32LE(at));
    return descriptors;
  }
}
