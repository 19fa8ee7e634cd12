import { AF_UNIX, bindSocket, closeDescriptor, listenSocket, streamSocket } from "../os/libc.ts";
import { unixAddress } from "../os/sockaddr.ts";

/** Connexions that wait while an engine is replaced: they are answered by the next. */
const BACKLOG = 511;

/**
 * The listening socket of the built-in engine, which outlives each of them.
 * @param address in the abstract namespace: it begins with NUL
 * @throws OsError
 */
export function openEngineListener(address: string): number {
  const fd = streamSocket(AF_UNIX, true);
  try {
    bindSocket(fd, unixAddress(address));
    listenSocket(fd, BACKLOG);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}
