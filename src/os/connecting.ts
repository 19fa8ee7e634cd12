/** Connecting a socket step by step, so that the descriptor can be given to another process. */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { check, closeDescriptor, connectSocket, OsError, streamSocket } from "./libc.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // int poll(struct pollfd *fds, nfds_t nfds, int timeout);
  poll: { args: [FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i32 },
  // int getsockopt(int sockfd, int level, int optname, void *optval, socklen_t *optlen);
  getsockopt: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.ptr],
    returns: FFIType.i32,
  },
});

const POLLOUT = 4;
const SOL_SOCKET = 1;
const SO_ERROR = 4;

/** A non-blocking socket that is connected, or about to be. */
export interface Connecting {
  readonly fd: number;
  pending: boolean;
}

/**
 * Begins to connect.
 * @param address made by sockaddr.ts
 * @throws OsError when it is refused at once
 */
export function beginConnecting(family: number, address: Uint8Array): Connecting {
  const fd = streamSocket(family, true);
  try {
    connectSocket(fd, address);
    return { fd, pending: false };
  } catch (error) {
    if (error instanceof OsError && error.code === "EINPROGRESS") return { fd, pending: true };
    closeDescriptor(fd);
    throw error;
  }
}

/**
 * Looks whether a pending connexion has come about; sets `pending` accordingly. Closes it when it has not.
 * @throws OsError with the reason, such as `ECONNREFUSED`
 */
export function lookAtConnecting(connecting: Connecting): void {
  // struct pollfd { int fd; short events; short revents; };
  const poll = Buffer.alloc(8);
  poll.writeInt32LE(connecting.fd, 0);
  poll.writeInt16LE(POLLOUT, 4);
  if (check("poll", libc.poll(ptr(poll), 1, 0)) === 0) return;
  const value = new Int32Array(1);
  const size = new Uint32Array([value.byteLength]);
  check("getsockopt", libc.getsockopt(connecting.fd, SOL_SOCKET, SO_ERROR, ptr(value), ptr(size)));
  const errno = value[0] ?? 0;
  if (errno !== 0) {
    closeDescriptor(connecting.fd);
    throw new OsError("connect", errno);
  }
  connecting.pending = false;
}
