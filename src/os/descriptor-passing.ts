/**
 * Passing open descriptors to another process: sendmsg(2) and recvmsg(2) with SCM_RIGHTS. Both work on a socket
 * pair of whole packets that the runtime does not know of: what it read itself would lose the descriptors.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { AF_UNIX, check, closeDescriptor } from "./libc.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  // ssize_t sendmsg(int sockfd, const struct msghdr *msg, int flags);
  sendmsg: { args: [FFIType.i32, FFIType.ptr, FFIType.i32], returns: FFIType.i64 },
  // ssize_t recvmsg(int sockfd, struct msghdr *msg, int flags);
  recvmsg: { args: [FFIType.i32, FFIType.ptr, FFIType.i32], returns: FFIType.i64 },
  // int socketpair(int domain, int type, int protocol, int sv[2]);
  socketpair: { args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
});

const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
/** sizeof(struct msghdr) and sizeof(struct cmsghdr) where pointers have 8 bytes. */
const MSGHDR = 56;
const CMSGHDR = 16;
/** Descriptors in one packet. */
const MOST = 8;
const CONTROL = CMSGHDR + Math.ceil((MOST * 4) / 8) * 8;

/** A pair of sockets for descriptors; both are closed on exec. */
export function descriptorSocketPair(): [number, number] {
  const pair = new Int32Array(2);
  check("socketpair", libc.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ptr(pair)));
  return [pair[0] ?? -1, pair[1] ?? -1];
}

/**
 * struct msghdr { void *name; socklen_t namelen; struct iovec *iov; size_t iovlen; void *control;
 * size_t controllen; int flags; } over one iovec { void *base; size_t len; }. The parts must be kept alive.
 */
function messageHeader(
  payload: Uint8Array,
  control: Uint8Array,
): { header: Uint8Array; parts: Uint8Array[] } {
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(BigInt(ptr(payload)), 0);
  vector.writeBigUInt64LE(BigInt(payload.length), 8);
  const header = Buffer.alloc(MSGHDR);
  header.writeBigUInt64LE(BigInt(ptr(vector)), 16);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(BigInt(ptr(control)), 32);
  header.writeBigUInt64LE(BigInt(control.length), 40);
  return { header, parts: [vector, payload, control] };
}

/**
 * Sends descriptors under a number that the receiver will look for.
 * @param number a non-negative integer below 2^32
 * @throws OsError `EAGAIN` when the receiver does not take what was sent before, `EPIPE` when it is gone
 */
export function sendDescriptors(socket: number, number: number, descriptors: readonly number[]): void {
  if (descriptors.length === 0 || descriptors.length > MOST)
    throw new RangeError("1 to 8 descriptors at a time");
  const payload = Buffer.alloc(4);
  payload.writeUInt32LE(number, 0);
  send(socket, payload, descriptors);
}

/**
 * Sends bytes on a unix stream socket that the runtime may serve, and a descriptor with the first of them.
 * @throws OsError `EAGAIN` when the socket is full, and what else sendmsg(2) says; Error when it took a part only
 */
export function sendWithDescriptor(socket: number, bytes: Uint8Array, descriptor: number): void {
  const sent = send(socket, bytes, [descriptor]);
  if (sent !== bytes.length) throw new Error(`sendmsg: ${sent} of ${bytes.length} bytes`);
}

function send(socket: number, payload: Uint8Array, descriptors: readonly number[]): number {
  const length = CMSGHDR + descriptors.length * 4;
  // CMSG_SPACE: the last header is followed by padding too.
  const control = Buffer.alloc(Math.ceil(length / 8) * 8);
  control.writeBigUInt64LE(BigInt(length), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  for (const [at, descriptor] of descriptors.entries()) control.writeInt32LE(descriptor, CMSGHDR + at * 4);
  const { header, parts } = messageHeader(payload, control);
  const sent = check("sendmsg", Number(libc.sendmsg(socket, ptr(header), MSG_DONTWAIT | MSG_NOSIGNAL)));
  parts.length = 0;
  return sent;
}

/** Descriptors that came in one packet, and the number they came under. */
export interface ReceivedDescriptors {
  readonly number: number;
  readonly descriptors: readonly number[];
}

/**
 * Takes the next packet, without waiting.
 * @throws OsError `EAGAIN` when there is none
 */
export function receiveDescriptors(socket: number): ReceivedDescriptors {
  const payload = Buffer.alloc(4);
  const control = Buffer.alloc(CONTROL);
  const { header, parts } = messageHeader(payload, control);
  const count = check("recvmsg", Number(libc.recvmsg(socket, ptr(header), MSG_DONTWAIT | MSG_CMSG_CLOEXEC)));
  parts.length = 0;
  const descriptors = rightsIn(control, Number(Buffer.from(header).readBigUInt64LE(40)));
  if (count !== 4) {
    for (const descriptor of descriptors) closeDescriptor(descriptor);
    return { number: -1, descriptors: [] };
  }
  return { number: payload.readUInt32LE(0), descriptors };
}

/**
 * The descriptor that was sent under a number, which it was before whoever waits heard of it; null when it was not.
 * Those that nobody has asked for are closed: one of them must not put all that follow out of step.
 */
export function receiveUnder(socket: number, number: number): number | null {
  try {
    for (;;) {
      const received = receiveDescriptors(socket);
      const [descriptor, ...others] = received.descriptors;
      for (const other of others) closeDescriptor(other);
      if (received.number === number) return descriptor ?? null;
      if (descriptor !== undefined) closeDescriptor(descriptor);
    }
  } catch {
    return null;
  }
}

function rightsIn(control: Buffer, controlLength: number): number[] {
  if (controlLength < CMSGHDR) return [];
  const length = Number(control.readBigUInt64LE(0));
  const isRights = control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS;
  if (!isRights || length > control.length) return [];
  const descriptors: number[] = [];
  for (let at = CMSGHDR; at + 4 <= length; at += 4) descriptors.push(control.readInt32LE(at));
  return descriptors;
}
