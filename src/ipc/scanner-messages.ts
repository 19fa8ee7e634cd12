import type { ScannerWatchState } from "../clamd/outage.ts";
import type { ServerRecord } from "../clamd/server-state.ts";

/** From the keeper to the supervisor: what it knows of the servers now. */
export interface ScannerReport {
  readonly type: "scanners";
  readonly state: ScannerWatchState;
}

/** More servers than `--server` can name. */
const MOST_SERVERS = 4096;
const MAX_NAME = 300;
const STATES: readonly unknown[] = ["up", "busy", "down", "blind"];

/** The message if it is such a report, else null. */
export function checkScannerReport(message: unknown): ScannerReport | null {
  if (!isRecord(message) || message.type !== "scanners" || !isRecord(message.state)) return null;
  const { servers, outageSince } = message.state;
  if (outageSince !== null && !isTime(outageSince)) return null;
  if (!Array.isArray(servers) || servers.length > MOST_SERVERS || !servers.every(isServerRecord)) return null;
  return { type: "scanners", state: { servers, outageSince } };
}

function isServerRecord(value: unknown): value is ServerRecord {
  if (!isRecord(value)) return false;
  const { name, state, passing, proven, unprovenTold, since, failures } = value;
  return (
    typeof name === "string" &&
    name.length <= MAX_NAME &&
    STATES.includes(state) &&
    [passing, proven, unprovenTold].every((flag) => typeof flag === "boolean") &&
    isTime(since) &&
    isTime(failures)
  );
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
