import { ClamdError, type ClamdErrorCode } from "../clamd/clamd-error.ts";
import type { ScannerPool } from "../clamd/pool.ts";
import type { Scan, ServerVerdict } from "../clamd/server.ts";
import type { ScanSource } from "../clamd/session.ts";
import { contentHash, type EndlessMessages } from "./endless.ts";
import type { Lane } from "./lane.ts";
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
  /** Messages that may be what ended a scanner go through here one at a time: the others are to get to know which it is. */
  readonly suspects: Lane;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Resolves after so many milliseconds. */
  readonly sleep: (milliseconds: number) => Promise<unknown>;
}

/** Nothing is gained by another try. */
const HOPELESS: ReadonlySet<Attempt["code"]> = new Set(["CLAMD_CANCELLED"]);
/** When every server has failed with a message they are asked again after a while, and once more. Milliseconds. */
const PAUSES = [300, 1000];
/** One death more than servers makes a message what they died of, up to so many: each may be restarted once, in turn. */
const MOST_DEATHS = 5;
/** From so many deaths on it is looked at alone. */
const SUSPECT = 2;
/** What libclamav says when MaxScanTime is over (cl_strerror of CL_ETIMEOUT), up to 0.105 and since. */
const TIME_LIMIT = /(Time limit reached|Exceeded time limit)$/;

/** What has happened to a message so far. */
interface Troubles {
  readonly tried: Set<string>;
  rounds: number;
  deaths: number;
  timeouts: number;
}

/** Why an attempt brought no verdict: clamd's or the connexion's failure. */
type Failure = ClamdErrorCode | "CLAMD_ERROR" | "CLAMD_TOO_LARGE";

/**
 * Has a message scanned within its budget. A server that fails (refuses, goes away, says ERROR or nothing at all) is
 * followed by another, or by itself if it is the only one, and the message is sent again from its start.
 * @param deadline when the verdict is due, on the world's clock
 */
export function startScan(world: ScanWorld, source: ScanSource, deadline: number): ScanJob {
  let current: Scan | null = null;
  let cancelled = false;
  const givenUp = Promise.withResolvers<void>();
  const troubles: Troubles = { tried: new Set(), rounds: 0, deaths: 0, timeouts: 0 };
  const attempt = async (): Promise<Attempt> => {
    // While one waits for one's turn the message may be given up, and its spool is closed then.
    if (cancelled) return { verdict: failureOf(new Error("given up")), code: "CLAMD_CANCELLED" };
    current = world.pool.scan(source, deadline, troubles.tried);
    return await settle(current);
  };
  const run = async (): Promise<ScanVerdict> => {
    if (isKnownEndless(world, source)) return ENDLESS;
    for (;;) {
      const suspect = troubles.deaths >= Math.min(SUSPECT, deadly(world) - 1);
      const { verdict, code } = suspect
        ? await inLane(world, deadline, givenUp.promise, attempt)
        : await attempt();
      if (code === null || HOPELESS.has(code)) return verdict;
      note(troubles, current?.server ?? null, code);
      if (code === "CLAMD_TOO_LARGE" && (!world.pool.takes(source.size) || wasEverywhere(troubles, world))) {
        return verdict;
      }
      const again = !cancelled && (await mayTryAgain(world, troubles, deadline));
      if (cancelled) return verdict;
      if (again) continue;
      const killer = troubles.deaths >= deadly(world);
      if (killer || isEndless(troubles, world, deadline)) world.onEndless(contentHash(source));
      return killer ? named(verdict, troubles.deaths) : verdict;
    }
  };
  return {
    verdict: run(),
    cancel: () => {
      cancelled = true;
      givenUp.resolve();
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
  readonly code: Failure | null;
}

async function settle(scan: Scan): Promise<Attempt> {
  try {
    const reply = await scan.verdict;
    const verdict = verdictOf(reply);
    if (reply.reply.kind === "tooLarge") return { verdict, code: "CLAMD_TOO_LARGE" };
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
  if (code === "CLAMD_DIED") troubles.deaths++;
  if (code === "CLAMD_TIMEOUT") troubles.timeouts++;
}

function wasEverywhere({ tried }: Troubles, { pool }: ScanWorld): boolean {
  return tried.size >= pool.size;
}

/** Deaths after which a message is not given to a scanner again. */
function deadly({ pool }: ScanWorld): number {
  return Math.min(pool.size + 1, MOST_DEATHS);
}

/** Whether the message has used up its time, or that of every server: not when one was slow and the others away. */
function isEndless({ timeouts }: Troubles, { pool, now }: ScanWorld, deadline: number): boolean {
  return timeouts > 0 && (now() >= deadline || timeouts >= pool.size);
}

/** Makes an attempt when no other suspect makes one. */
async function inLane(
  { suspects, now }: ScanWorld,
  deadline: number,
  givenUp: Promise<void>,
  attempt: () => Promise<Attempt>,
): Promise<Attempt> {
  const leave = await suspects.enter(Math.max(0, deadline - now()), givenUp);
  if (leave === null) return { verdict: failureOf(new Error("no time is left")), code: "CLAMD_CANCELLED" };
  try {
    return await attempt();
  } finally {
    leave();
  }
}

/** The log is to tell which message it was. */
function named(verdict: ScanVerdict, deaths: number): ScanVerdict {
  if (verdict.kind !== "failed") return verdict;
  return {
    ...verdict,
    reason: `the scanner has died ${deaths} times while it had this message: ${verdict.reason}`,
  };
}

/** Waits until the next try is due; false when there is to be none. */
async function mayTryAgain(world: ScanWorld, troubles: Troubles, deadline: number): Promise<boolean> {
  if (troubles.deaths >= deadly(world) || world.now() >= deadline) return false;
  if (!wasEverywhere(troubles, world)) return true;
  // It would hold each of them for as long again.
  if (isEndless(troubles, world, deadline)) return false;
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
