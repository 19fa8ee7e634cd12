/** What can be seen of a socket without reading from it. */
import { dlopen, FFIType, ptr } from "bun:ffi";

const { symbols: libc } = dlopen("libc.so.6", {
  // ssize_t recv(int sockfd, void *buf, size_t len, int flags);
  recv: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i64_fast },
  // int poll(struct pollfd *fds, nfds_t nfds, int timeout);
  poll: { args: [FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i32 },
  // int getsockopt(int sockfd, int level, int optname, void *optval, socklen_t *optlen);
  getsockopt: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.ptr],
    returns: FFIType.i32,
  },
});

const SOL_SOCKET = 1;
const SO_DOMAIN = 39;
const AF_UNIX = 1;
const POLLIN = 1;
const MSG_PEEK = 2;
const MSG_DONTWAIT = 0x40;
const ONE = new Uint8Array(1);

/** Whether the other end has closed the connexion, and nothing that it has sent is left to read. */
export function isClosedByPeer(socket: number): boolean {
  return Number(libc.recv(socket, ptr(ONE), 1, MSG_PEEK | MSG_DONTWAIT)) === 0;
}

/** Whether it is a unix socket: false for any other, and for what is no socket. */
export function isUnixSocket(socket: number): boolean {
  const domain = new Int32Array([-1]);
  const size = new Uint32Array([domain.byteLength]);
  return (
    libc.getsockopt(socket, SOL_SOCKET, SO_DOMAIN, ptr(domain), ptr(size)) === 0 && domain[0] === AF_UNIX
  );
}

/** Whether a connexion waits at a listening socket to be accepted. */
export function hasWaiting(listener: number): boolean {
  // struct pollfd: int fd; short events; short revents. Little-endian machines only, as all that the runtime knows.
  const asked = new Int32Array([listener, POLLIN]);
  return libc.poll(ptr(asked), 1, 0) > 0;
}
