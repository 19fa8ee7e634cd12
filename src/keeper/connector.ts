import ipaddr from "ipaddr.js";
import type { ServerAddress } from "../clamd/address.ts";
import { beginConnecting, type Connecting, lookAtConnecting } from "../os/connecting.ts";
import { AF_UNIX, closeDescriptor, OsError } from "../os/libc.ts";
import { inetAddress, unixAddress } from "../os/sockaddr.ts";
import { peerUser } from "../os/stream-calls.ts";
import type { ServerNames } from "./server-names.ts";

/** A pending connexion is looked at after so many milliseconds, then after twice as many, up to the last. */
const FIRST_LOOK = 1;
const LAST_LOOK = 50;

/**
 * Connects to a clamd and gives the descriptor. Of a name with several addresses the first that answers counts, and
 * the one that did so last is tried first.
 * @param deadline milliseconds for all of it
 * @throws Error or OsError with the reason; `EAGAIN` when a unix socket's backlog is full
 */
export async function connectDescriptor(
  server: ServerAddress,
  deadline: number,
  names: ServerNames,
): Promise<number> {
  const end = performance.now() + deadline;
  if (server.kind === "unix") return demandOurs(await connectUnix(server.path, end), server.path);
  const { host, port } = server;
  if (ipaddr.isValid(host)) return connectInet(host, port, end);
  let reason: unknown = new Error("the name has no address");
  const addresses = await names.addressesOf(host, deadline);
  for (const [at, address] of addresses.entries()) {
    // A silent address leaves the others their share of the time.
    const now = performance.now();
    const share = now + (end - now) / (addresses.length - at);
    try {
      const fd = await connectInet(address, port, share);
      names.worked(host, address);
      return fd;
    } catch (error) {
      reason = error;
    }
  }
  throw reason;
}

function connectInet(address: string, port: number, end: number): Promise<number> {
  const { family, bytes } = inetAddress(address, port);
  return settle(beginConnecting(family, bytes), end);
}

/** A full backlog refuses at once (EAGAIN), where a blocking connexion would wait: it is tried again. */
async function connectUnix(path: string, end: number): Promise<number> {
  for (let pause = FIRST_LOOK; ; pause = Math.min(LAST_LOOK, pause * 2)) {
    try {
      return await settle(beginConnecting(AF_UNIX, unixAddress(path)), end);
    } catch (error) {
      const full = error instanceof OsError && error.code === "EAGAIN";
      if (!full || performance.now() > end) throw error;
    }
    await Bun.sleep(pause);
  }
}

/**
 * No directory guards a name in the abstract namespace: while no engine listens, anybody who has seen it may take it,
 * and would call every message clean.
 * @throws Error when another user's process listens there
 */
function demandOurs(fd: number, path: string): number {
  try {
    if (!path.startsWith("\0") || peerUser(fd) === process.getuid?.()) return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
  closeDescriptor(fd);
  throw new Error("a process of another user has taken the engine's socket");
}

async function settle(connecting: Connecting, end: number): Promise<number> {
  for (let pause = FIRST_LOOK; connecting.pending; pause = Math.min(LAST_LOOK, pause * 2)) {
    lookAtConnecting(connecting);
    if (!connecting.pending) break;
    if (performance.now() > end) {
      closeDescriptor(connecting.fd);
      throw new Error("no connexion in time");
    }
    await Bun.sleep(pause);
  }
  return connecting.fd;
}
