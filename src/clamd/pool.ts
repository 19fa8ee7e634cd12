import { ClamdError } from "./clamd-error.ts";
import type { ClamdServer, Scan } from "./server.ts";
import type { ScanSource } from "./session.ts";

/** Where a message can be scanned: what the rest of the program knows of clamd. */
export interface ScannerPool {
  /**
   * Starts a scan on one server.
   * @param deadline when it is given up, on the pool's clock
   */
  scan(source: ScanSource, deadline: number): Scan;
  /** To be called about once a second: everything that waits in the pool is timed by it. */
  tick(): void;
  /** Scans in flight or waiting. */
  readonly load: number;
  /** Nothing more is asked of it: idle sessions end now, the others with their scans. */
  retire(): void;
  close(): void;
}

/** All clamd servers as one scanner: a message goes to the server with the least to do. */
export class ClamdPool implements ScannerPool {
  readonly #servers: readonly ClamdServer[];

  constructor(servers: readonly ClamdServer[]) {
    this.#servers = servers;
  }

  scan(source: ScanSource, deadline: number): Scan {
    let best: ClamdServer | undefined;
    for (const server of this.#servers) if (best === undefined || server.load < best.load) best = server;
    if (best === undefined) {
      return {
        verdict: Promise.reject(new ClamdError("CLAMD_CONNECT", "no clamd server is configured")),
        cancel: () => {},
      };
    }
    return best.scan(source, deadline);
  }

  tick(): void {
    for (const server of this.#servers) server.tick();
  }

  get load(): number {
    return this.#servers.reduce((sum, server) => sum + server.load, 0);
  }

  retire(): void {
    for (const server of this.#servers) server.retire();
  }

  close(): void {
    for (const server of this.#servers) server.close();
  }
}
