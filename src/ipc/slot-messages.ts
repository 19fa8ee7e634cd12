/**
 * What a child tells of its slots. A slot is a message in scanning (`--max-children`); children lease them from the
 * supervisor. Sent when slots come back, when more of them are needed, and now and then while messages wait, not for
 * every message.
 */
export interface SlotReport {
  readonly type: "slots";
  /** Counts this child's reports, from 1. */
  readonly turn: number;
  /** Slots that the child holds no longer. */
  readonly back: number;
  /** Slots that it could use now in all: messages in scanning, and messages that wait. */
  readonly need: number;
}

/** What the supervisor tells a child of the slots. */
export interface SlotWord {
  readonly type: "slots";
  /** The last of the child's reports that is answered by this. */
  readonly heard: number;
  /** Slots that the child holds from now on, besides those that it has. */
  readonly grant: number;
  /** As many the child may keep, others wait for the rest; null: all that it has. */
  readonly keep: number | null;
  /** Milliseconds that a slot may lie here without a message before it is to come back; null: for good. */
  readonly rest: number | null;
  /** Whether none is free in the whole program. Only kept up while idle slots come back at once. */
  readonly full: boolean;
}

/** No honest child has so many messages at once. */
const MOST = 1_000_000;

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= MOST;
}

/** The report, if every field of it is one that a child may send, else null. What it may give back the ledger knows. */
export function checkSlotReport(message: Readonly<Record<string, unknown>>): SlotReport | null {
  const { type, turn, back, need } = message;
  const counted = typeof turn === "number" && Number.isSafeInteger(turn) && turn > 0;
  return type === "slots" && counted && isCount(back) && isCount(need) ? { type, turn, back, need } : null;
}
