import type { ServerAddress } from "../clamd/address.ts";
import type { ScannerHealth } from "../clamd/health.ts";
import type { ScannerWatchState } from "../clamd/outage.ts";
import { monotonicMicroseconds } from "../os/libc.ts";
import type { RoleEvents, RoleProcess } from "./role-process.ts";
import { ScannerTable } from "./scanner-table.ts";

/** Keeps what the keeper knows of the servers for the keeper that may follow it, and tells the children. */
export class ScannerDesk {
  readonly #table: ScannerTable;
  readonly #children = new Set<RoleProcess>();

  constructor(servers: readonly ServerAddress[]) {
    this.#table = new ScannerTable(servers, () => Number(monotonicMicroseconds()) / 1000);
  }

  /** For a keeper that is started. */
  get state(): ScannerWatchState {
    return this.#table.state;
  }

  /** For a child that is started. */
  get health(): readonly ScannerHealth[] {
    return this.#table.health;
  }

  /** New settings, after SIGHUP. */
  renew(servers: readonly ServerAddress[]): void {
    this.#table.renew(servers);
    this.#tell();
  }

  /** A child that has been told to start, with what is known now. */
  join(child: RoleProcess): void {
    this.#children.add(child);
  }

  /** The events of a child's place, with an eye on its end. */
  watch(events: RoleEvents): RoleEvents {
    return {
      ...events,
      onExit: (role, how) => {
        this.#children.delete(role);
        events.onExit(role, how);
      },
    };
  }

  /** The events of the keeper's place, with an ear for its reports. */
  watchKeeper(events: RoleEvents): RoleEvents {
    return {
      onReady: (role) => events.onReady(role),
      onOffence: (role, what) => events.onOffence(role, what),
      onExit: (role, how) => events.onExit(role, how),
      onScanners: (state) => {
        if (this.#table.take(state)) this.#tell();
      },
    };
  }

  #tell(): void {
    const { health: scanners } = this;
    for (const child of this.#children) child.send({ type: "scanners", scanners });
  }
}
