import { EndlessMessages } from "../scan/endless.ts";
import type { RoleEvents, RoleProcess } from "./role-process.ts";

/** Reports in a minute: more are no mail but a child that has been taken over. */
const MOST_REPORTS = 100;
const MINUTE = 60_000;

/** Tells every child which messages no scanner gets through with: a retry may come to another child. */
export class EndlessDesk {
  readonly #known = new EndlessMessages();
  readonly #children = new Set<RoleProcess>();
  #reports = 0;
  #since = 0;

  /** A child that has been told to start. */
  join(child: RoleProcess): void {
    this.#children.add(child);
    const hashes = this.#known.list(performance.now());
    if (hashes.length > 0) child.send({ type: "endless", hashes });
  }

  /** The events of a child's place, with an ear for what it reports. */
  watch(events: RoleEvents): RoleEvents {
    return {
      ...events,
      onEndless: (hash) => this.#take(hash),
      onExit: (role, how) => {
        this.#children.delete(role);
        events.onExit(role, how);
      },
    };
  }

  #take(hash: string): void {
    const now = performance.now();
    if (now - this.#since > MINUTE) {
      this.#since = now;
      this.#reports = 0;
    }
    if (++this.#reports > MOST_REPORTS) return;
    this.#known.remember(hash, now);
    for (const child of this.#children) child.send({ type: "endless", hashes: [hash] });
  }
}
