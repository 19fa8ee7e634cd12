import type { ServerAddress } from "../clamd/address.ts";

/** A message that began before a HUP is scanned where it would have been: servers are remembered so long. Milliseconds. */
const REMEMBERED = 3_600_000;
const MOST_KEPT = 1000;

/** The servers that children may be connected to: those of the settings, and for some time those of the ones before. */
export class KnownServers {
  readonly #now: () => number;
  #current = new Map<string, ServerAddress>();
  readonly #former = new Map<string, { readonly server: ServerAddress; readonly until: number }>();

  /** @param now milliseconds of a clock that never goes back */
  constructor(servers: readonly ServerAddress[], now: () => number) {
    this.#now = now;
    this.learn(servers);
  }

  /** Takes the servers of new settings. */
  learn(servers: readonly ServerAddress[]): void {
    const now = this.#now();
    for (const [name, server] of this.#current) {
      // The newest come last.
      this.#former.delete(name);
      this.#former.set(name, { server, until: now + REMEMBERED });
    }
    this.#current = new Map(servers.map((server) => [server.name, server]));
    for (const [name, { until }] of this.#former) {
      if (until <= now || this.#former.size > MOST_KEPT) this.#former.delete(name);
    }
  }

  /** The server of that name; null when there is none, and was none of late. */
  find(name: string): ServerAddress | null {
    const current = this.#current.get(name);
    if (current !== undefined) return current;
    const former = this.#former.get(name);
    return former !== undefined && former.until > this.#now() ? former.server : null;
  }
}
