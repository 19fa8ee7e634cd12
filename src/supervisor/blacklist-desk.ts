import type { Settings } from "../config/settings.ts";
import type { Log } from "../log/log.ts";
import { Blacklisting } from "./blacklisting.ts";
import type { RoleEvents, RoleProcess } from "./role-process.ts";

/** Puts the blacklist between the processes; without `--blacklist-time` it does nothing. */
export class BlacklistDesk {
  readonly #list: Blacklisting | null;

  constructor({ blacklistTime, dontBlacklist: exempt, ignoreNets }: Settings, log: Log) {
    const plan = { time: blacklistTime * 1000, exempt, ignoreNets };
    this.#list = blacklistTime > 0 ? new Blacklisting(plan, log, () => performance.now()) : null;
  }

  /** A child that has been told to start. */
  join(child: RoleProcess): void {
    this.#list?.join(child);
  }

  /** The events of a child's place, with an ear for what it reports. */
  watch(events: RoleEvents): RoleEvents {
    const list = this.#list;
    if (list === null) return events;
    return {
      ...events,
      onBlacklist: (role, message) => list.onMessage(role, message),
      onExit: (role, how) => {
        list.leave(role);
        events.onExit(role, how);
      },
    };
  }

  /** The events of the keeper's place, with an ear for our MX peers. */
  watchKeeper(events: RoleEvents): RoleEvents {
    const list = this.#list;
    return list === null ? events : { ...events, onPeers: (addresses) => list.setPeers(addresses) };
  }
}
