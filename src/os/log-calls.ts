/** The calls of the C library that logs need: all of them answer at once. */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { check } from "./libc.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // int socket(int domain, int type, int protocol);
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  // ssize_t send(int sockfd, const void *buf, size_t len, int flags);
  send: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i64_fast },
  // int poll(struct pollfd *fds, nfds_t nfds, int timeout);
  poll: { args: [FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i32 },
  // int fcntl(int fd, int cmd, struct flock *lock);
  fcntl: { args: [FFIType.i32, FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
});

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const POLLOUT = 4;
const F_GETLK = 5;
const F_WRLCK = 1;
const F_UNLCK = 2;

/** A unix datagram socket that never waits, closed on exec. */
export function datagramSocket(): number {
  return check("socket", libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

/**
 * Sends on a connected socket, whether or not it is a blocking one.
 * @returns how many bytes were taken
 * @throws OsError `EAGAIN` when it would have to wait
 */
export function sendNow(fd: number, bytes: Uint8Array): number {
  return check("send", Number(libc.send(fd, ptr(bytes), bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL)));
}

/**
 * Whether a write to the descriptor would not wait. A pipe then takes PIPE_BUF bytes (4096), unless another
 * process is faster. Also true when the write would fail at once.
 */
export function isWritable(fd: number): boolean {
  // struct pollfd { int fd; short events; short revents; }
  const entry = Buffer.alloc(8);
  entry.writeInt32LE(fd, 0);
  entry.writeInt16LE(POLLOUT, 4);
  return check("poll", libc.poll(ptr(entry), 1, 0)) > 0;
}

/**
 * Whether another process has a lock of fcntl(2) on any part of the open file, as a clamd has on its LogFile.
 * Looks only, and locks nothing.
 * @returns its process id, 0 when that is not known (another pid namespace), null when there is no lock
 */
export function lockHolder(fd: number): number | null {
  // struct flock { short l_type; short l_whence; off_t l_start; off_t l_len; pid_t l_pid; }
  const lock = Buffer.alloc(32);
  lock.writeInt16LE(F_WRLCK, 0);
  check("fcntl", libc.fcntl(fd, F_GETLK, ptr(lock)));
  if (lock.readInt16LE(0) === F_UNLCK) return null;
  return Math.max(0, lock.readInt32LE(24));
}
