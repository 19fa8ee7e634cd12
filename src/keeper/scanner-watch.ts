import { type OutageEvent, outageOf, type ScannerWatchState } from "../clamd/outage.ts";
import { newRecord, type ServerRecord } from "../clamd/server-state.ts";
import type { Settings } from "../config/settings.ts";
import type { Log } from "../log/log.ts";
import { serverNews } from "./scanner-news.ts";
import { ServerWatch, type WatchEdge } from "./server-watch.ts";

/** Who is told of the servers. */
export interface WatchAudience {
  readonly log: Log;
  /** Something has changed: this is to be kept for the keeper that may follow this one. */
  readonly report: (state: ScannerWatchState) => void;
  /** No server is left, or one is again: once each, however many keepers there are meanwhile. */
  readonly onOutage: (event: OutageEvent) => void;
}

/** Settings that the watch depends on. */
export type WatchedSettings = Pick<Settings, "servers" | "canary">;

/** Watches all servers, and knows when none is left. */
export class ScannerWatch {
  readonly #edge: WatchEdge;
  readonly #audience: WatchAudience;
  #watches = new Map<string, ServerWatch>();
  #state: ScannerWatchState;
  #told = "";
  #plan = "";

  /** @param state what the keeper before this one knew */
  constructor(settings: WatchedSettings, state: ScannerWatchState, edge: WatchEdge, audience: WatchAudience) {
    this.#edge = edge;
    this.#audience = audience;
    this.#state = state;
    this.#told = toldOf(state);
    this.renew(settings);
  }

  /** Watches the servers of new settings; what is known of those that stay is kept. */
  renew({ servers, canary }: WatchedSettings): void {
    const plan = JSON.stringify([servers, canary]);
    if (plan === this.#plan) return;
    this.#plan = plan;
    this.stop();
    const known = new Map(this.#state.servers.map((record) => [record.name, record]));
    // One that is listed twice is one server.
    const addresses = [...new Map(servers.map((address) => [address.name, address])).values()];
    const now = this.#edge.now();
    const watched = addresses.map((address) => ({
      address,
      record: known.get(address.name) ?? newRecord(address.name, now),
    }));
    this.#state = { ...this.#state, servers: watched.map(({ record }) => record) };
    for (const { address, record } of watched) {
      const watch = new ServerWatch(address, record, canary, this.#edge, (next, events) => {
        for (const event of events) this.#news(record.name, event);
        this.#take(next);
      });
      this.#watches.set(record.name, watch);
    }
    this.#settle();
  }

  /** Somebody's scan has failed at the server of that name: it is looked at. */
  trouble(name: string): void {
    this.#watches.get(name)?.hurry();
  }

  stop(): void {
    for (const watch of this.#watches.values()) watch.stop();
    this.#watches = new Map();
  }

  #news(name: string, event: Parameters<typeof serverNews>[1]): void {
    const { level, text } = serverNews(name, event);
    this.#audience.log(level, text);
  }

  #take(record: ServerRecord): void {
    const servers = this.#state.servers.map((each) => (each.name === record.name ? record : each));
    this.#state = { ...this.#state, servers };
    this.#settle();
  }

  #settle(): void {
    const event = outageOf(this.#state, this.#edge.now());
    if (event !== null)
      this.#state = { ...this.#state, outageSince: event.kind === "began" ? this.#edge.now() : null };
    const told = toldOf(this.#state);
    if (told !== this.#told) this.#audience.report(this.#state);
    this.#told = told;
    // After the report: what follows takes time, and must not happen twice.
    if (event !== null) this.#audience.onOutage(event);
  }
}

/** What is worth a report: not every further failure. */
function toldOf(state: ScannerWatchState): string {
  return JSON.stringify(state, (key, value) => (key === "failures" ? undefined : value));
}
