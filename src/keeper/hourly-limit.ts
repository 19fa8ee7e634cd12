import { createHash } from "node:crypto";

/** Milliseconds. */
export const HOUR = 3_600_000;

/** How many mails of ours go out within an hour, and to one recipient. */
export interface HourlyBounds {
  readonly total: number;
  readonly perRecipient: number;
}

/** What was counted in an hour. A plain JSON value. */
export interface HourlyCounts {
  /** When the hour began: milliseconds since 1970. */
  readonly begun: number;
  readonly total: number;
  /** Mails by recipient, whose addresses are made short: some are 250 characters long, and there may be thousands. */
  readonly counts: readonly (readonly [recipient: string, mails: number])[];
}

/** Counts mail by hours, which begin with the first mail after the last one. */
export class HourlyLimit {
  readonly #bounds: HourlyBounds;
  readonly #counts: Map<string, number>;
  #total: number;
  #begun: number;

  /** @param before what an earlier process has counted */
  constructor(bounds: HourlyBounds, before: HourlyCounts | null = null) {
    this.#bounds = bounds;
    this.#counts = new Map(before?.counts);
    this.#total = before?.total ?? 0;
    this.#begun = before?.begun ?? Number.NEGATIVE_INFINITY;
  }

  /** What was counted in this hour, for a process that follows; null: nothing yet. */
  get counted(): HourlyCounts | null {
    if (this.#total === 0) return null;
    return { begun: this.#begun, total: this.#total, counts: [...this.#counts] };
  }

  /**
   * Who of these may get one more mail; it is counted for them.
   * @param now milliseconds since 1970
   */
  admit(recipients: readonly string[], now: number): Set<string> {
    if (now - this.#begun >= HOUR || now < this.#begun) {
      this.#counts.clear();
      this.#total = 0;
      this.#begun = now;
    }
    if (this.#total >= this.#bounds.total) return new Set();
    const admitted = recipients.filter((address) => this.#countOf(address) < this.#bounds.perRecipient);
    if (admitted.length > 0) this.#total++;
    for (const address of admitted) this.#counts.set(shortOf(address), this.#countOf(address) + 1);
    return new Set(admitted);
  }

  #countOf(address: string): number {
    return this.#counts.get(shortOf(address)) ?? 0;
  }
}

/** The counts if a value from a file is sound, else null. */
export function checkHourlyCounts(value: unknown): HourlyCounts | null {
  if (typeof value !== "object" || value === null) return null;
  const { begun, total, counts } = value as Record<string, unknown>;
  if (!isCount(begun) || !isCount(total) || !Array.isArray(counts)) return null;
  const sound = counts.every(
    (each: unknown) => Array.isArray(each) && typeof each[0] === "string" && isCount(each[1]),
  );
  return sound ? { begun, total, counts: counts as HourlyCounts["counts"] } : null;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

/** Twelve characters for an address, whatever its case. */
function shortOf(address: string): string {
  return createHash("sha256").update(address.toLowerCase()).digest("base64url").slice(0, 12);
}
