import { AcceptRoster, type AcceptWords } from "./accept-roster.ts";
import type { RoleEvents, RoleProcess } from "./role-process.ts";

/** Tells the children which of them accept connexions. */
export class AcceptDesk {
  readonly #roster = new AcceptRoster<RoleProcess>();

  /** The events of a child's place, with an ear for how crowded it is. */
  watch(events: RoleEvents): RoleEvents {
    return {
      ...events,
      onReady: (role) => {
        tell(this.#roster.join(role));
        events.onReady(role);
      },
      onCrowded: (role, crowded) => tell(this.#roster.report(role, crowded)),
      onExit: (role, how) => {
        tell(this.#roster.leave(role));
        events.onExit(role, how);
      },
    };
  }
}

function tell(words: AcceptWords<RoleProcess>): void {
  for (const [child, on] of words) child.send({ type: "accept", on });
}
