/** What can be seen of a connected socket without reading from it. */
import { dlopen, FFIType, ptr } from "bun:ffi";

const { symbols: libc } = dlopen("libc.so.6", {
  // ssize_t recv(int sockfd, void *buf, size_t len, int flags);
  recv: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i64_fast },
});

const MSG_PEEK = 2;
const MSG_DONTWAIT = 0x40;
const ONE = new Uint8Array(1);

/** Whether the other end has closed the connexion, and nothing that it has sent is left to read. */
export function isClosedByPeer(socket: number): boolean {
  return Number(libc.recv(socket, ptr(ONE), 1, MSG_PEEK | MSG_DONTWAIT)) === 0;
}
