import { AcceptRoster, type AcceptWords } from "./accept-roster.ts";
import type { RoleEvents, RoleProcess } from "./role-process.ts";

/** A child says at most twice in five seconds that it is crowded or no longer: more than that is no child of ours. */
const MOST_REPORTS = 60;
const MINUTE = 60_000;

/** Tells the children which of them accept connexions. */
export class AcceptDesk {
  readonly #roster = new AcceptRoster<RoleProcess>();
  readonly #reports = new WeakMap<RoleProcess, { since: number; count: number }>();

  /** The events of a child's place, with an ear for how crowded it is. */
  watch(events: RoleEvents): RoleEvents {
    return {
      ...events,
      onReady: (role) => {
        tell(this.#roster.join(role));
        events.onReady(role);
      },
      onCrowded: (role, crowded) => {
        if (this.#isFlood(role)) {
          events.onOffence(role, "changes its mind too often about its connexions");
          role.kill();
        } else tell(this.#roster.report(role, crowded));
      },
      onExit: (role, how) => {
        tell(this.#roster.leave(role));
        events.onExit(role, how);
      },
    };
  }

  #isFlood(role: RoleProcess): boolean {
    const now = performance.now();
    const known = this.#reports.get(role);
    if (known === undefined || now - known.since > MINUTE) {
      this.#reports.set(role, { since: now, count: 1 });
      return false;
    }
    return ++known.count > MOST_REPORTS;
  }
}

function tell(words: AcceptWords<RoleProcess>): void {
  for (const [child, on] of words) child.send({ type: "accept", on });
}
