import type { Settings } from "../config/settings.ts";
import type { SlotReport } from "../ipc/slot-messages.ts";
import type { RoleEvents, RoleProcess } from "./role-process.ts";
import { SlotError, SlotLedger, type SlotRules, type SlotWords } from "./slot-ledger.ts";

/** Hands the slots of `--max-children` to the children, and takes back what they held when they are gone. */
export class SlotDesk {
  readonly #ledger: SlotLedger<RoleProcess>;
  #reports = 0;

  constructor(settings: Settings) {
    this.#ledger = new SlotLedger(rulesOf(settings));
  }

  /** What the children have told so far. */
  get reports(): number {
    return this.#reports;
  }

  /** New settings, after SIGHUP. */
  renew(settings: Settings): void {
    tell(this.#ledger.setRules(rulesOf(settings)));
  }

  /** A child that has been told to start: it holds nothing, whoever had its place before. */
  join(child: RoleProcess): void {
    tell(this.#ledger.join(child));
  }

  /** The events of a child's place, with an ear for its slots. */
  watch(events: RoleEvents): RoleEvents {
    return {
      onReady: (role) => events.onReady(role),
      onOffence: (role, what) => events.onOffence(role, what),
      onSlots: (role, report) => this.#report(role, report, events),
      onExit: (role, how) => {
        // Also while the program stops: others may wait for what it held.
        tell(this.#ledger.leave(role));
        events.onExit(role, how);
      },
    };
  }

  #report(role: RoleProcess, report: SlotReport, events: RoleEvents): void {
    this.#reports++;
    try {
      tell(this.#ledger.report(role, report));
    } catch (error) {
      if (!(error instanceof SlotError)) throw error;
      events.onOffence(role, error.message);
      role.kill();
    }
  }
}

function rulesOf({ maxChildren, dontWait }: Settings): SlotRules {
  return { capacity: maxChildren, dontWait };
}

function tell(words: SlotWords<RoleProcess>): void {
  for (const [child, word] of words) child.send(word);
}
