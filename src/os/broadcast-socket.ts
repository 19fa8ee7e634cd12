/** Datagrams to everybody on a network: socket(2), setsockopt(2), sendto(2). */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { AF_INET, check } from "./libc.ts";
import { inetAddress } from "./sockaddr.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // int socket(int domain, int type, int protocol);
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  // int setsockopt(int sockfd, int level, int optname, const void *optval, socklen_t optlen);
  setsockopt: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.u32],
    returns: FFIType.i32,
  },
  // ssize_t sendto(int sockfd, const void *buf, size_t len, int flags, const struct sockaddr *addr, socklen_t addrlen);
  sendto: {
    args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32, FFIType.ptr, FFIType.u32],
    returns: FFIType.i64,
  },
});

const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_BROADCAST = 6;
const SO_BINDTODEVICE = 25;
const MSG_DONTWAIT = 0x40;
const EVERYBODY = "255.255.255.255";

/**
 * A socket that may broadcast.
 * @param device the network interface that it is bound to (only root may), or null for the system's choice
 * @throws OsError such as `ENODEV`
 */
export function broadcastSocket(device: string | null): number {
  const fd = check("socket", libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const on = new Int32Array([1]);
  check("setsockopt SO_BROADCAST", libc.setsockopt(fd, SOL_SOCKET, SO_BROADCAST, ptr(on), on.byteLength));
  if (device !== null) {
    const name = Buffer.from(`${device}\0`);
    check(`interface ${device}`, libc.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ptr(name), name.length));
  }
  return fd;
}

/**
 * Sends one datagram to 255.255.255.255, without waiting.
 * @throws OsError such as `ENETUNREACH`
 */
export function sendBroadcast(fd: number, port: number, text: string): void {
  const payload = Buffer.from(text);
  const { bytes } = inetAddress(EVERYBODY, port);
  check(
    "sendto",
    Number(libc.sendto(fd, ptr(payload), payload.length, MSG_DONTWAIT, ptr(bytes), bytes.length)),
  );
}
