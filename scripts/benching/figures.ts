/** What one run of a load has shown. */
export interface RunFigures {
  readonly messages: number;
  /** Wall time in seconds. */
  readonly seconds: number;
  /** Milliseconds from the start of a message to its final reply. */
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
  /** Processor seconds of the load generator itself. */
  readonly generatorSeconds: number;
  /** Messages that got another verdict than the expected one, or none. */
  readonly wrong: number;
  /** What the first wrong one was. */
  readonly firstWrong: string | null;
}

/**
 * The value below which a share of the samples lies (nearest rank).
 * @param sorted in rising order
 * @param share from 0 to 1
 * @returns NaN when there is no sample
 */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** The middle value, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[middle - 1] ?? Number.NaN, sorted[middle] ?? Number.NaN];
  return sorted.length % 2 === 0 ? (low + high) / 2 : high;
}

/** Messages in a second. */
export function rateOf({ messages, seconds }: Pick<RunFigures, "messages" | "seconds">): number {
  return seconds > 0 ? messages / seconds : 0;
}
