import type { Warm } from "./session-stock.ts";

/** A scan in flight. Times are milliseconds of a clock that never goes back. */
export interface Flight {
  readonly startedAt: number;
  /** When it is given up. */
  readonly overdueAt: number;
  written: number;
  /** When clamd last took bytes. */
  readAt: number;
}

/** A clamd that leaves PING unanswered, or takes no bytes, for so long is silent. */
const SILENT_AFTER = 2_000;

/** A scan that begins now. */
export function startFlight(warm: Warm, now: number, overdueAt: number): Flight {
  return { startedAt: now, overdueAt, written: warm.session.written, readAt: now };
}

/** To be called now and then: notes whether clamd has taken bytes. */
export function lookAtFlight(warm: Warm, flight: Flight, now: number): void {
  if (flight.written === warm.session.written) return;
  flight.written = warm.session.written;
  flight.readAt = now;
}

/** Whether clamd answers nothing and takes nothing: it may scan for long, but it would answer PING meanwhile. */
export function isSilent(warm: Warm, flight: Flight, now: number): boolean {
  if (warm.pingedAt !== null) return now - warm.pingedAt > SILENT_AFTER;
  return warm.session.sending && now - flight.readAt > SILENT_AFTER;
}
