import type { ScanJob } from "../scan/job.ts";
import type { ScanVerdict } from "../scan/verdict.ts";
import type { Passage, Slots } from "./slots.ts";

/**
 * What is left of a message's budget for its scan, however long it has waited: as much as clamd may be silent by
 * default (ReadTimeout 120), but no more than half of the budget. Milliseconds.
 */
const SCAN_TIME = 120_000;

/** The supervisor answers at once; one that does not must not cost a message its verdict. Milliseconds. */
const ANSWER_PATIENCE = 5_000;

/**
 * How long a message waits for a slot (decisions 8): the shorter of `--timeout` and what its budget leaves when a scan
 * is to follow. All in milliseconds.
 * @param budget from the end of the message to its verdict
 * @param timeout 0: no limit of its own
 */
export function longestWait(budget: number, timeout: number): number {
  const leaves = budget - Math.min(SCAN_TIME, budget / 2);
  return timeout === 0 ? leaves : Math.min(timeout, leaves);
}

/** A scan that needs a slot first. */
export interface SlotOrder {
  readonly slots: Slots;
  /** `--dont-wait`. */
  readonly dontWait: boolean;
  /** Milliseconds, of `longestWait`. */
  readonly patience: number;
  /** Starts the scan itself. */
  start(): ScanJob;
  /** It goes on without a slot. */
  onOver(): void;
}

/** A message that waits for its slot, or is in scanning. */
export interface SlotJob {
  /** Null: there is no slot, and it is not to wait. */
  readonly verdict: Promise<ScanVerdict | null>;
  cancel(): void;
}

const GIVEN_UP: ScanVerdict = { kind: "failed", reason: "given up", header: null, server: null };

/** Scans as soon as there is a slot, at once if there is one here. The slot is given back whatever becomes of it. */
export function scanInSlot({ slots, dontWait, patience, start, onOver }: SlotOrder): SlotJob {
  const claim = slots.claim({ dontWait, patience: dontWait ? ANSWER_PATIENCE : patience });
  let job: ScanJob | null = null;
  let cancelled = false;
  const run = async (how: Passage): Promise<ScanVerdict | null> => {
    try {
      if (cancelled) return GIVEN_UP;
      if (how === "none") return null;
      if (how === "over") onOver();
      job = start();
      return await job.verdict;
    } finally {
      claim.release();
    }
  };
  const how = claim.passage ?? claim.settled;
  return {
    verdict: typeof how === "string" ? run(how) : how.then(run),
    cancel: () => {
      cancelled = true;
      claim.release();
      job?.cancel();
    },
  };
}
