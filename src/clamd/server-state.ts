import type { ScannerHealth, ScannerState } from "./health.ts";

/** All that is remembered of one server, by whoever watches it. A plain JSON value. */
export interface ServerRecord extends ScannerHealth {
  /** Whether it has found the test virus once: only then does it mean something when it does not. */
  readonly proven: boolean;
  /** Whether it was told that it does not know the test virus. */
  readonly unprovenTold: boolean;
  /** When the state began: milliseconds of the machine's monotonic clock. */
  readonly since: number;
  /** Looks and tests in this state that went wrong. */
  readonly failures: number;
}

/** What one look at a server, or one test message, has shown. */
export type Observation =
  /** No connexion comes about; the reason in words. */
  | { readonly kind: "unreachable"; readonly why: string }
  /** It takes a connexion and says nothing in time. */
  | { readonly kind: "silent" }
  /** It has answered a PING. */
  | { readonly kind: "answers" }
  /** It has scanned the test message. One that it could not scan shows nothing, and is no observation. */
  | { readonly kind: "canary"; readonly found: boolean }
  /** Whether it scans a descriptor that it is passed. */
  | { readonly kind: "passing"; readonly works: boolean };

/** What an administrator is to be told. */
export type ServerEvent =
  | {
      readonly kind: "changed";
      readonly from: ScannerState;
      readonly to: ScannerState;
      readonly why: string;
      /** Milliseconds that the state before has lasted, and what went wrong in it. */
      readonly lasted: number;
      readonly failures: number;
    }
  /** It does not find the test virus, and never has: its database may not know it. */
  | { readonly kind: "unproven" };

/** A record after an observation, and what there is to tell about it. */
export interface Observed {
  readonly record: ServerRecord;
  readonly events: readonly ServerEvent[];
}

/** A server of which nothing is known but that it is to be used. */
export function newRecord(name: string, now: number): ServerRecord {
  return {
    name,
    state: "up",
    passing: false,
    proven: false,
    unprovenTold: false,
    since: now,
    failures: 0,
  };
}

/**
 * What an observation makes of what is known. A blind server stays so, whatever else is seen of it, until it has found
 * the test virus (decisions 7, architecture "Canary").
 * @param now milliseconds of the machine's monotonic clock
 */
export function observe(record: ServerRecord, seen: Observation, now: number): Observed {
  if (seen.kind === "passing") return { record: { ...record, passing: seen.works }, events: [] };
  if (seen.kind === "canary") return tested(record, seen.found, now);
  if (record.state === "blind") return { record, events: [] };
  if (seen.kind === "answers") return become(record, "up", "", now);
  return seen.kind === "silent" ? become(record, "busy", "", now) : become(record, "down", seen.why, now);
}

function tested(record: ServerRecord, found: boolean, now: number): Observed {
  if (found) return become({ ...record, proven: true }, "up", "", now);
  if (record.proven) return become(record, "blind", "", now);
  const { record: used, events } = become({ ...record, unprovenTold: true }, "up", "", now);
  return { record: used, events: record.unprovenTold ? events : [...events, { kind: "unproven" }] };
}

function become(record: ServerRecord, to: ScannerState, why: string, now: number): Observed {
  const { state: from, failures } = record;
  if (from === to)
    return { record: to === "up" ? record : { ...record, failures: failures + 1 }, events: [] };
  const event: ServerEvent = { kind: "changed", from, to, why, lasted: now - record.since, failures };
  return { record: { ...record, state: to, since: now, failures: to === "up" ? 0 : 1 }, events: [event] };
}
