/**
 * Waiting for many descriptors at once, in a thread that does nothing else: epoll(7). The runtime's own loop cannot be
 * used where descriptors are passed, since what it reads itself loses them.
 */
import { dlopen, FFIType, type Pointer, ptr } from "bun:ffi";
import { fixedMemory } from "./fixed-memory.ts";
import { check, OsError } from "./libc.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // int epoll_create1(int flags);
  epoll_create1: { args: [FFIType.i32], returns: FFIType.i32 },
  // int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
  epoll_ctl: { args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  // int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout);
  epoll_wait: { args: [FFIType.i32, FFIType.ptr, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
});

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;
const MOST = 64;
/** struct epoll_event { uint32_t events; epoll_data_t data; } is packed on x86 alone. */
const EVENT = process.arch === "x64" ? { size: 12, data: 4 } : { size: 16, data: 8 };

/** A set of descriptors that are waited for until they can be read, or have ended. */
export class Epoll {
  readonly #fd = check("epoll_create1", libc.epoll_create1(EPOLL_CLOEXEC));
  readonly #event = fixedMemory(EVENT.size);
  readonly #events = fixedMemory(EVENT.size * MOST);
  readonly #eventAt: Pointer = ptr(this.#event);
  readonly #eventsAt: Pointer = ptr(this.#events);

  add(fd: number): void {
    this.#event.writeUInt32LE(EPOLLIN, 0);
    this.#event.writeInt32LE(fd, EVENT.data);
    check("epoll_ctl", libc.epoll_ctl(this.#fd, EPOLL_CTL_ADD, fd, this.#eventAt));
  }

  remove(fd: number): void {
    check("epoll_ctl", libc.epoll_ctl(this.#fd, EPOLL_CTL_DEL, fd, this.#eventAt));
  }

  /**
   * Blocks the thread until something can be read.
   * @param timeout milliseconds
   * @returns descriptors; none when the time is up
   */
  wait(timeout: number): readonly number[] {
    const count = this.#wait(timeout);
    const ready: number[] = [];
    for (let at = 0; at < count; at++) ready.push(this.#events.readInt32LE(at * EVENT.size + EVENT.data));
    return ready;
  }

  #wait(timeout: number): number {
    try {
      return check("epoll_wait", libc.epoll_wait(this.#fd, this.#eventsAt, MOST, timeout));
    } catch (error) {
      // The process was stopped and goes on.
      if (error instanceof OsError && error.code === "EINTR") return 0;
      throw error;
    }
  }
}
