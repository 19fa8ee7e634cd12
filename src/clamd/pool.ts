import { ClamdError } from "./clamd-error.ts";
import type { ScannerHealth } from "./health.ts";
import type { ClamdServer, Scan } from "./server.ts";
import type { ScanSource } from "./session.ts";

/** Where a message can be scanned: what the rest of the program knows of clamd. */
export interface ScannerPool {
  /**
   * Starts a scan on one server.
   * @param deadline when it is given up, on the pool's clock
   * @param tried names of servers that have failed with this message: they are asked again only when no other is left
   */
  scan(source: ScanSource, deadline: number, tried: ReadonlySet<string>): Scan;
  /** To be called about once a second: everything that waits in the pool is timed by it. */
  tick(): void;
  /** Servers that may be asked. */
  readonly size: number;
  /** Scans in flight or waiting. */
  readonly load: number;
  /** What all processes together know of the servers. */
  learn(health: readonly ScannerHealth[]): void;
  /** Nothing more is asked of it: idle sessions end now, the others with their scans. */
  retire(): void;
  close(): void;
}

/** All clamd servers as one scanner: a message goes to the server with the least to do, for its speed. */
export class ClamdPool implements ScannerPool {
  readonly #servers: readonly ClamdServer[];

  constructor(servers: readonly ClamdServer[]) {
    this.#servers = servers;
  }

  scan(source: ScanSource, deadline: number, tried: ReadonlySet<string> = new Set()): Scan {
    const open = this.#open;
    if (open.length > 0 && open.every((server) => server.refuses(source.size))) return tooLarge(open[0]);
    return best(open, source.size, tried)?.scan(source, deadline) ?? nobody(this.#servers.length);
  }

  /** A scan that is stuck with a silent server goes elsewhere, if there is a better place. */
  tick(): void {
    for (const server of this.#servers) server.tick();
    for (const server of this.#servers) {
      const elsewhere = this.#servers.some((other) => other !== server && other.usable);
      if (elsewhere && server.stuck) server.moveStuck();
    }
  }

  get size(): number {
    return this.#open.length;
  }

  get load(): number {
    return this.#servers.reduce((sum, server) => sum + server.load, 0);
  }

  learn(health: readonly ScannerHealth[]): void {
    for (const known of health)
      this.#servers.find(({ address }) => address.name === known.name)?.learn(known);
  }

  retire(): void {
    for (const server of this.#servers) server.retire();
  }

  close(): void {
    for (const server of this.#servers) server.close();
  }

  /** A blind server is never asked: its word would be believed. One that is down may have come back. */
  get #open(): readonly ClamdServer[] {
    return this.#servers.filter((server) => server.state !== "blind");
  }
}

function best(
  servers: readonly ClamdServer[],
  size: number,
  tried: ReadonlySet<string>,
): ClamdServer | undefined {
  const rank = (server: ClamdServer): number =>
    (tried.has(server.address.name) ? 4 : 0) + (server.refuses(size) ? 2 : 0) + (server.usable ? 0 : 1);
  let found: ClamdServer | undefined;
  for (const server of servers) {
    const better = found === undefined ? -1 : rank(server) - rank(found) || server.cost - found.cost;
    if (better < 0) found = server;
  }
  return found;
}

/** Every server has refused messages of that size before. */
function tooLarge(server: ClamdServer | undefined): Scan {
  const name = server?.address.name ?? "";
  return {
    server: name,
    verdict: Promise.resolve({ reply: { kind: "tooLarge" }, server: name, version: "" }),
    cancel: () => {},
  };
}

function nobody(servers: number): Scan {
  const why =
    servers === 0 ? "no clamd server is configured" : "no clamd server is left that finds the test virus";
  return {
    server: null,
    verdict: Promise.reject(new ClamdError("CLAMD_CONNECT", why)),
    cancel: () => {},
  };
}
