import type { ServerRecord } from "./server-state.ts";

/** What is known of all servers together. A plain JSON value. */
export interface ScannerWatchState {
  readonly servers: readonly ServerRecord[];
  /** Since when it has been told that no server is left: milliseconds of the machine's monotonic clock; else null. */
  readonly outageSince: number | null;
}

/** No server is left, or one is again: each is told once. */
export type OutageEvent =
  | { readonly kind: "began"; readonly servers: readonly ServerRecord[] }
  /** `lasted`: milliseconds. */
  | { readonly kind: "ended"; readonly server: string; readonly lasted: number };

/** Servers that only are silent may be loading a database: mail waits meanwhile, and nobody is alarmed. Milliseconds. */
const BUSY_GRACE = 30_000;

/**
 * Whether the outage of all servers begins or ends now.
 * @param now milliseconds of the machine's monotonic clock
 */
export function outageOf({ servers, outageSince }: ScannerWatchState, now: number): OutageEvent | null {
  const working = servers.find((server) => server.state === "up");
  if (outageSince !== null) {
    return working === undefined ? null : { kind: "ended", server: working.name, lasted: now - outageSince };
  }
  const hopeful = servers.some((server) => server.state === "busy" && now - server.since < BUSY_GRACE);
  return working === undefined && !hopeful && servers.length > 0 ? { kind: "began", servers } : null;
}
