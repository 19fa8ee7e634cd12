/**
 * Sockets and epoll(7) with as little around them as possible: what measures must cost less than what is measured. The
 * runtime's own sockets call a handler and make an object for everything that comes.
 */
import { dlopen, FFIType, type Pointer, ptr, read } from "bun:ffi";
import { constants } from "node:os";
import { fixedMemory } from "../../src/os/fixed-memory.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // int socket(int domain, int type, int protocol);
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  // int connect(int sockfd, const struct sockaddr *addr, socklen_t addrlen);
  connect: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  // int close(int fd);
  close: { args: [FFIType.i32], returns: FFIType.i32 },
  // No call here moves 2 GB: the lower half of what they return is all of it.
  // ssize_t recv(int sockfd, void *buf, size_t len, int flags);
  recv: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i32 },
  // ssize_t sendmsg(int sockfd, const struct msghdr *msg, int flags);
  sendmsg: { args: [FFIType.i32, FFIType.ptr, FFIType.i32], returns: FFIType.i32 },
  // int setsockopt(int sockfd, int level, int optname, const void *optval, socklen_t optlen);
  setsockopt: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.u32],
    returns: FFIType.i32,
  },
  // int epoll_create1(int flags);
  epoll_create1: { args: [FFIType.i32], returns: FFIType.i32 },
  // int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
  epoll_ctl: { args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  // int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout);
  epoll_wait: { args: [FFIType.i32, FFIType.ptr, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  // int *__errno_location(void);
  __errno_location: { args: [], returns: FFIType.ptr },
});

const { EAGAIN, EINPROGRESS, EINTR, ENOTCONN } = constants.errno;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const AF_UNIX = 1;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const MSG_NOSIGNAL = 0x4000;
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_MOD = 3;
const EPOLLIN = 1;
const EPOLLOUT = 4;
const EVENT_WORDS = process.arch === "x64" ? 3 : 4;
const EVENT_DATA = process.arch === "x64" ? 1 : 2;
const MOST_EVENTS = 512;
const MSGHDR = 56;
/** Pieces that one call sends. */
export const MOST_PIECES = 64;
const HALF = 2 ** 32;

/** Nothing to be had at the moment. */
export const LATER = -1;

/** A call failed with this errno. */
export class CallError extends Error {
  readonly errno: number;
  constructor(call: string, errno: number) {
    super(`${call}: ${nameOf(errno)}`);
    this.errno = errno;
  }
}

function nameOf(errno: number): string {
  return Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
}

function lastErrno(): number {
  const where = libc.__errno_location();
  return where === null ? 0 : read.i32(where, 0);
}

const one = new Int32Array([1]);

/**
 * Begins to connect.
 * @param address made by sockaddr.ts
 * @returns the descriptor, or {@link LATER} when the listener's queue is full
 * @throws CallError
 */
export function beginConnexion(family: number, address: Uint8Array): number {
  const fd = libc.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new CallError("socket", lastErrno());
  if (family !== AF_UNIX) libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ptr(one), 4);
  if (libc.connect(fd, ptr(address), address.length) === 0) return fd;
  const errno = lastErrno();
  if (errno === EINPROGRESS) return fd;
  libc.close(fd);
  if (errno === EAGAIN) return LATER;
  throw new CallError("connect", errno);
}

/** Closes a descriptor. */
export function closeConnexion(fd: number): void {
  libc.close(fd);
}

const RECEIVE_ROOM = 1 << 16;
/** What {@link receive} has taken; good until the next call. */
export const received: Buffer = fixedMemory(RECEIVE_ROOM);
const receivedAt: Pointer = ptr(received);

/** @returns bytes in {@link received}, 0 at the end of the connexion, or {@link LATER} @throws CallError */
export function receive(fd: number): number {
  const count = libc.recv(fd, receivedAt, RECEIVE_ROOM, 0);
  if (count >= 0) return count;
  const errno = lastErrno();
  if (errno === EAGAIN || errno === EINTR) return LATER;
  throw new CallError("recv", errno);
}

function words(count: number): Uint32Array {
  return new Uint32Array(fixedMemory(count * 4).buffer);
}

// struct iovec { void *base; size_t len; } and struct msghdr { name, namelen, iov, iovlen, control, controllen, flags }
const pieces = words(MOST_PIECES * 4);
const header = fixedMemory(MSGHDR);
header.writeBigUInt64LE(BigInt(ptr(pieces)), 16);
const headerWords = new Uint32Array(header.buffer, header.byteOffset, MSGHDR / 4);
const headerAt: Pointer = ptr(header);

/** Names a piece of memory that the next {@link sendPieces} takes. */
export function setPiece(number: number, address: number, length: number): void {
  const at = number * 4;
  pieces[at] = address % HALF;
  pieces[at + 1] = Math.floor(address / HALF);
  pieces[at + 2] = length;
}

/** @returns bytes sent, or {@link LATER} @throws CallError */
export function sendPieces(fd: number, count: number): number {
  headerWords[6] = count;
  const sent = libc.sendmsg(fd, headerAt, MSG_NOSIGNAL);
  if (sent >= 0) return sent;
  const errno = lastErrno();
  if (errno === EAGAIN || errno === EINTR || errno === ENOTCONN) return LATER;
  throw new CallError("sendmsg", errno);
}

/** What a descriptor's events are told to. */
export interface Watcher {
  onReady(readable: boolean, writable: boolean): void;
}

/** Waits for many descriptors at once. */
export class Poller {
  readonly #fd = libc.epoll_create1(EPOLL_CLOEXEC);
  readonly #event = words(EVENT_WORDS);
  readonly #events = words(EVENT_WORDS * MOST_EVENTS);
  readonly #eventAt: Pointer = ptr(this.#event);
  readonly #eventsAt: Pointer = ptr(this.#events);
  readonly #watchers: (Watcher | undefined)[] = [];

  add(fd: number, watcher: Watcher): void {
    this.#watchers[fd] = watcher;
    this.#control(EPOLL_CTL_ADD, fd, EPOLLIN);
  }

  /** Whether it is told when the descriptor can be written, too. */
  wantWrites(fd: number, wanted: boolean): void {
    this.#control(EPOLL_CTL_MOD, fd, EPOLLIN | (wanted ? EPOLLOUT : 0));
  }

  /** To be called before the descriptor is closed. */
  forget(fd: number): void {
    this.#watchers[fd] = undefined;
  }

  /** Blocks until something is ready, `timeout` milliseconds at most, and tells it. */
  wait(timeout: number): void {
    const count = libc.epoll_wait(this.#fd, this.#eventsAt, MOST_EVENTS, timeout);
    for (let number = 0; number < count; number++) {
      const at = number * EVENT_WORDS;
      const events = this.#events[at] ?? 0;
      const watcher = this.#watchers[this.#events[at + EVENT_DATA] ?? 0];
      // Errors and hang-ups are told by the next read.
      watcher?.onReady((events & ~EPOLLOUT) !== 0, (events & EPOLLOUT) !== 0);
    }
  }

  #control(operation: number, fd: number, events: number): void {
    this.#event[0] = events;
    this.#event[EVENT_DATA] = fd;
    if (libc.epoll_ctl(this.#fd, operation, fd, this.#eventAt) < 0)
      throw new CallError("epoll_ctl", lastErrno());
  }
}
