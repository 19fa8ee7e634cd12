import type { ServerAddress } from "../clamd/address.ts";
import type { ScannerHealth } from "../clamd/health.ts";
import type { ScannerWatchState } from "../clamd/outage.ts";
import { newRecord } from "../clamd/server-state.ts";

/** What is known of the servers, kept where neither a child's nor the keeper's death can reach it. */
export class ScannerTable {
  readonly #now: () => number;
  #state: ScannerWatchState = { servers: [], outageSince: null };

  /** @param now milliseconds of the machine's monotonic clock */
  constructor(servers: readonly ServerAddress[], now: () => number) {
    this.#now = now;
    this.renew(servers);
  }

  /** For a new keeper. */
  get state(): ScannerWatchState {
    return this.#state;
  }

  /** For the children. */
  get health(): readonly ScannerHealth[] {
    return this.#state.servers.map(({ name, state, passing }) => ({ name, state, passing }));
  }

  /**
   * Takes a keeper's report. One about servers that are not ours any more, or not yet the keeper's, changes nothing of
   * what is known of the others.
   * @returns whether there is something new for the children
   */
  take(report: ScannerWatchState): boolean {
    const before = JSON.stringify(this.health);
    const told = new Map(report.servers.map((record) => [record.name, record]));
    const servers = this.#state.servers.map((record) => told.get(record.name) ?? record);
    this.#state = { servers, outageSince: report.outageSince };
    return JSON.stringify(this.health) !== before;
  }

  /** The servers of new settings. */
  renew(servers: readonly ServerAddress[]): void {
    const known = new Map(this.#state.servers.map((record) => [record.name, record]));
    const names = [...new Set(servers.map(({ name }) => name))];
    const records = names.map((name) => known.get(name) ?? newRecord(name, this.#now()));
    this.#state = { ...this.#state, servers: records };
  }
}
