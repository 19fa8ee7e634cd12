/** A measurement. */
export interface Point {
  /** Seconds since the beginning. */
  readonly at: number;
  readonly value: number;
}

/**
 * The value that so many of all do not exceed.
 * @param share from 0 to 1
 * @returns 0 when there is none
 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/** Growth in a minute: the slope of the straight line with the least squares; 0 for fewer than two points. */
export function slopeByMinute(points: readonly Point[]): number {
  if (points.length < 2) return 0;
  const middleAt = mean(points.map(({ at }) => at));
  const middle = mean(points.map(({ value }) => value));
  const square = points.reduce((sum, { at }) => sum + (at - middleAt) ** 2, 0);
  if (square === 0) return 0;
  return (60 * points.reduce((sum, { at, value }) => sum + (at - middleAt) * (value - middle), 0)) / square;
}

/** What came after so many seconds: a program that has just been started grows. */
export function afterWarmUp(points: readonly Point[], seconds: number): readonly Point[] {
  return points.filter(({ at }) => at >= seconds);
}

/** What growth is taken for a leak. */
export interface GrowthBound {
  /** Part of the usual value. */
  readonly share: number;
  /** So much is no leak in any case. */
  readonly least: number;
}

/**
 * Whether the line through the points rises by too much from the first to the last. Chance moves a few points as much
 * as a leak does: a short run tells nothing.
 */
export function growsTooMuch(points: readonly Point[], { share, least }: GrowthBound): boolean {
  if (points.length < FEWEST_POINTS) return false;
  const span = ((points.at(-1)?.at ?? 0) - (points[0]?.at ?? 0)) / 60;
  const usual = percentile(
    points.map(({ value }) => value),
    0.5,
  );
  return slopeByMinute(points) * span > Math.max(least, share * usual);
}

const FEWEST_POINTS = 30;

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Keeps the latencies of any number of messages in bounded memory: a random sample, and the highest of all. */
export interface Latencies {
  add(milliseconds: number): void;
  /** Forgets what was added. */
  clear(): void;
  /** `p50/p99/max` in milliseconds. */
  text(): string;
}

export function latencies(most = 20_000): Latencies {
  let kept: number[] = [];
  let seen = 0;
  let highest = 0;
  return {
    add: (milliseconds) => {
      highest = Math.max(highest, milliseconds);
      seen++;
      if (kept.length < most) kept.push(milliseconds);
      else {
        const at = Math.floor(Math.random() * seen);
        if (at < most) kept[at] = milliseconds;
      }
    },
    clear: () => {
      kept = [];
      seen = 0;
      highest = 0;
    },
    text: () => [percentile(kept, 0.5), percentile(kept, 0.99), highest].map(Math.round).join("/"),
  };
}
