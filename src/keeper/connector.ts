import { lookup } from "node:dns/promises";
import type { ServerAddress } from "../clamd/address.ts";
import { beginConnecting, type Connecting, lookAtConnecting } from "../os/connecting.ts";
import { AF_UNIX, closeDescriptor, OsError } from "../os/libc.ts";
import { inetAddress, unixAddress } from "../os/sockaddr.ts";

/** A pending connexion is looked at after so many milliseconds, then after twice as many, up to the last. */
const FIRST_LOOK = 1;
const LAST_LOOK = 50;

/**
 * Connects to a clamd and gives the descriptor. Of a name with several addresses the first that answers counts.
 * @param deadline milliseconds for all of it
 * @throws Error or OsError with the reason
 */
export async function connectDescriptor(server: ServerAddress, deadline: number): Promise<number> {
  const end = performance.now() + deadline;
  if (server.kind === "unix") return connectUnix(server.path, end);
  let reason: unknown = new Error("the name has no address");
  const addresses = await addressesOf(server.host, deadline);
  for (const [at, address] of addresses.entries()) {
    const { family, bytes } = inetAddress(address, server.port);
    // A silent address leaves the others their share of the time.
    const now = performance.now();
    const share = now + (end - now) / (addresses.length - at);
    try {
      return await settle(beginConnecting(family, bytes), share);
    } catch (error) {
      reason = error;
    }
  }
  throw reason;
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

async function addressesOf(host: string, deadline: number): Promise<string[]> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("the name server does not answer")), deadline);
  try {
    const found = await Promise.race([lookup(host, { all: true }), late.promise]);
    return found.map((entry) => entry.address);
  } finally {
    clearTimeout(timer);
  }
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
