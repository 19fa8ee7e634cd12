import type { ServerRecord } from "./server-state.ts";

/** Milliseconds between two looks at a server that is well. */
const CALM = 5000;
/** The same while it is away: growing, for it is likely to come back soon or not at all. */
const FIRST_AWAY = 100;
const LAST_AWAY = 1000;
/** Pauses differ by this share at random, so that not all servers are looked at in one moment. */
const JITTER = 0.2;
/** Milliseconds between test messages to a blind server: growing. */
const FIRST_BLIND = 2000;
const LAST_BLIND = 60_000;
/** The same after one that could not be scanned. */
const FIRST_RETRY = 5000;

/**
 * The pause before the next look at a server.
 * @param failures looks in a row that failed
 * @param random from 0 to 1
 * @returns milliseconds
 */
export function lookPause(failures: number, random: number): number {
  const pause = failures === 0 ? CALM : grown(FIRST_AWAY, failures, LAST_AWAY);
  return pause * (1 - JITTER * random);
}

/**
 * The pause after which a test message is due again.
 * @param tries test messages in a row that showed nothing; 0: the last was answered
 * @param period seconds between test messages in peace; 0: there are none
 * @returns milliseconds; infinite when none is due
 */
export function canaryPause(record: ServerRecord, tries: number, period: number): number {
  if (record.state === "blind") return grown(FIRST_BLIND, record.failures, LAST_BLIND);
  if (period === 0) return Number.POSITIVE_INFINITY;
  return tries === 0 ? period * 1000 : Math.min(period * 1000, grown(FIRST_RETRY, tries, LAST_BLIND));
}

/** Doubles with every further failure. */
function grown(first: number, failures: number, last: number): number {
  return Math.min(last, first * 2 ** Math.min(20, Math.max(0, failures - 1)));
}
