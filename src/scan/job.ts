import { ClamdError, type ClamdErrorCode } from "../clamd/clamd-error.ts";
import type { ScannerPool } from "../clamd/pool.ts";
import type { Scan, ServerVerdict } from "../clamd/server.ts";
import type { ScanSource } from "../clamd/session.ts";
import { contentHash, type EndlessMessages } from "./endless.ts";
import type { ScanVerdict } from "./verdict.ts";

/** A message in scanning. */
export interface ScanJob {
  readonly verdict: Promise<ScanVerdict>;
  /** Gives the message up: clamd drops the work, the verdict is a failure that nobody needs. */
  cancel(): void;
}

/** What a scan needs of the world. */
export interface ScanWorld {
  readonly pool: ScannerPool;
  readonly endless: EndlessMessages;
  /** A message has used up its time, or ended several scanners: all processes should know it by this hash. */
  readonly onEndless: (hash: string) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Resolves after so many milliseconds. */
  readonly sleep: (milliseconds: number) => Promise<unknown>;
}

/** Nothing is gained by another try. */
const HOPELESS: ReadonlySet<Attempt["code"]> = new Set(["CLAMD_CANCELLED"]);
/** When every server has failed with a message they are asked again after a while, and once more. Milliseconds. */
const PAUSES = [300, 1000];
/** A message in whose scan so many connexions ended may be what ends them: of one scanner, and of several. */
const DEADLY_TO_ONE = 2;
const DEADLY_TO_MANY = 3;
/** What libclamav says when MaxScanTime is over (cl_strerror of CL_ETIMEOUT). */
const TIME_LIMIT = /Time limit reached$/;

/** What has happened to a message so far. */
interface Troubles {
  readonly tried: Set<string>;
  rounds: number;
  closed: number;
  timeouts: number;
}

/**
 * Has a message scanned within its budget. A server that fails (refuses, goes away, says ERROR or nothing at all) is
 * followed by another, or by itself if it is the only one, and the message is sent again from its start.
 * @param deadline when the verdict is due, on the world's clock
 */
export function startScan(world: ScanWorld, source: ScanSource, deadline: number): ScanJob {
  let current: Scan | null = null;
  let cancelled = false;
  const troubles: Troubles = { tried: new Set(), rounds: 0, closed: 0, timeouts: 0 };
  const run = async (): Promise<ScanVerdict> => {
    if (isKnownEndless(world, source)) return ENDLESS;
    for (;;) {
      current = world.pool.scan(source, deadline, troubles.tried);
      const { verdict, code } = await settle(current);
      if (code === null || HOPELESS.has(code)) return verdict;
      note(troubles, current.server, code);
      const again = !cancelled && (await mayTryAgain(world, troubles, deadline));
      if (cancelled) return verdict;
      if (again) continue;
      const deadly = isDeadly(troubles, world);
      if (deadly || troubles.timeouts > 0) world.onEndless(contentHash(source));
      return deadly ? named(verdict, troubles.closed) : verdict;
    }
  };
  return {
    verdict: run(),
    cancel: () => {
      cancelled = true;
      current?.cancel();
    },
  };
}

const ENDLESS: ScanVerdict = {
  kind: "failed",
  reason: "the same message could not be scanned a short while ago",
  header: "Read timeout exceeded",
  server: null,
};

function isKnownEndless({ endless, now }: ScanWorld, source: ScanSource): boolean {
  return endless.size > 0 && endless.has(contentHash(source), now());
}

/** What became of one try. */
interface Attempt {
  readonly verdict: ScanVerdict;
  /** Why it was no verdict of the scanner's, or null. */
  readonly code: ClamdErrorCode | "CLAMD_ERROR" | null;
}

async function settle(scan: Scan): Promise<Attempt> {
  try {
    const verdict = verdictOf(await scan.verdict);
    if (verdict.kind !== "failed") return { verdict, code: null };
    return TIME_LIMIT.test(verdict.reason)
      ? { verdict: { ...verdict, header: "Read timeout exceeded" }, code: "CLAMD_TIMEOUT" }
      : { verdict, code: "CLAMD_ERROR" };
  } catch (error) {
    // What is no trouble of clamd's is ours, and stays.
    return { verdict: failureOf(error), code: error instanceof ClamdError ? error.code : "CLAMD_CANCELLED" };
  }
}

function note(troubles: Troubles, server: string | null, code: Attempt["code"]): void {
  if (server !== null) troubles.tried.add(server);
  if (code === "CLAMD_CLOSED") troubles.closed++;
  if (code === "CLAMD_TIMEOUT") troubles.timeouts++;
}

function isDeadly({ closed }: Troubles, { pool }: ScanWorld): boolean {
  return closed >= (pool.size > 1 ? DEADLY_TO_MANY : DEADLY_TO_ONE);
}

/** The log is to tell which message it was. */
function named(verdict: ScanVerdict, closed: number): ScanVerdict {
  if (verdict.kind !== "failed") return verdict;
  return {
    ...verdict,
    reason: `the scanner has ended ${closed} times while it had this message: ${verdict.reason}`,
  };
}

/** Waits until the next try is due; false when there is to be none. */
async function mayTryAgain(world: ScanWorld, troubles: Troubles, deadline: number): Promise<boolean> {
  if (isDeadly(troubles, world) || world.now() >= deadline) return false;
  if (troubles.tried.size < world.pool.size) return true;
  const pause = PAUSES[troubles.rounds++];
  if (pause === undefined || world.now() + pause >= deadline) return false;
  troubles.tried.clear();
  await world.sleep(pause);
  return true;
}

function verdictOf({ reply, server, version }: ServerVerdict): ScanVerdict {
  switch (reply.kind) {
    case "clean":
      return { kind: "clean", server, version };
    case "infected":
      return { kind: "infected", names: [reply.name], server, version };
    case "limitExceeded":
      return { kind: "oversize", reason: reply.name, server };
    case "tooLarge":
      return { kind: "oversize", reason: "StreamMaxLength exceeded", server };
    case "failed":
      return { kind: "failed", reason: `clamd: ${reply.text}`, header: null, server };
  }
}

function failureOf(error: unknown): ScanVerdict {
  const timeout = error instanceof ClamdError && TIMED_OUT.has(error.code);
  return {
    kind: "failed",
    reason: error instanceof Error ? error.message : String(error),
    header: timeout ? "Read timeout exceeded" : null,
    server: null,
  };
}

const TIMED_OUT: ReadonlySet<ClamdErrorCode> = new Set(["CLAMD_TIMEOUT", "CLAMD_SILENT"]);
