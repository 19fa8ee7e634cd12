import type { ScanOutcome } from "./scan-text.ts";

/** What libclamav calls a message that took longer than MaxScanTime, when it is to be told (AlertExceedsMax). */
export const TIME_NAME = "Heuristics.Limits.Exceeded.MaxScanTime";
/** enum cl_error_t: CL_ETIMEOUT. */
const CL_ETIMEOUT = 21;
/** A clock that leaps again and again is no accident any more. */
const MOST_SCANS = 3;
/** No status of libclamav's: nothing is known of the message. */
const NO_STATUS = -1;

/**
 * Scans, and again when the time limit was reached before its time: libclamav measures it by the wall clock, and one
 * that is set forward ends every scan of that moment. The message would be taken for one that is too large to scan.
 * @param now milliseconds of a clock that nobody sets
 * @param maxScanTime milliseconds; 0: no limit
 */
export function scanByOwnClock(scan: () => ScanOutcome, now: () => number, maxScanTime: number): ScanOutcome {
  for (let count = 1; count <= MOST_SCANS; count++) {
    const begun = now();
    const outcome = scan();
    const timedOut = outcome.name === TIME_NAME || outcome.status === CL_ETIMEOUT;
    // libclamav begins a little later than we do, and looks at the clock now and then only: never before its time.
    if (!timedOut || maxScanTime === 0 || now() - begun >= maxScanTime) return outcome;
  }
  return { status: NO_STATUS, name: null, words: "The clock is set again and again" };
}
