import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { failure } from "../../scripts/debian/failure.ts";

/** Below the range the kernel takes outgoing connexions from, so that none of those lands on a port given here. */
const LOWEST = 15_000;
const HIGHEST = 32_000;
const ATTEMPTS = 200;

const given = new Set<number>();

/**
 * Finds a TCP port nobody listens on, for a program that has to be told its port. Never gives the same port twice.
 * @param addresses where programs will listen, all on that port; 127.0.0.1 unless told
 * @throws code `NO_PORT` when none is found
 */
export async function freePort(...addresses: readonly string[]): Promise<number> {
  const wanted = addresses.length === 0 ? ["127.0.0.1"] : addresses;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(LOWEST, HIGHEST);
    if (given.has(port)) continue;
    const free = await Promise.all(wanted.map((address) => canListen(port, address)));
    if (free.every(Boolean)) {
      given.add(port);
      return port;
    }
  }
  throw failure("NO_PORT", `no free TCP port on ${wanted.join(", ")} after ${ATTEMPTS} attempts`);
}

function canListen(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}

/** State of a listening socket in the kernel's tables. */
const LISTEN = "0A";

/**
 * Tells whether a program listens on a TCP port, by the kernel's table: a trial connexion would be noticed by the
 * program and, behind a mail server, by its filter.
 */
export function listensOnPort(port: number): boolean {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return ["/proc/net/tcp", "/proc/net/tcp6"].some((table) =>
    readTable(table).some(([, local, , state]) => state === LISTEN && local?.endsWith(wanted) === true),
  );
}

/** Tells whether a program listens on a unix socket, by the kernel's table. */
export function listensOnPath(path: string): boolean {
  const accepting = "00010000";
  return readTable("/proc/net/unix").some(
    ([, , , flags, , , , name]) => flags === accepting && name === path,
  );
}

function readTable(path: string): string[][] {
  try {
    const lines = readFileSync(path, "utf8").split("\n").slice(1);
    return lines.map((line) => line.trim().split(/\s+/));
  } catch {
    // A kernel without IPv6 has no table for it.
    return [];
  }
}
