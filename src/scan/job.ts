import { ClamdError, type ClamdErrorCode } from "../clamd/clamd-error.ts";
import type { ScannerPool } from "../clamd/pool.ts";
import type { Scan, ServerVerdict } from "../clamd/server.ts";
import type { ScanSource } from "../clamd/session.ts";
import type { ScanVerdict } from "./verdict.ts";

/** A message in scanning. */
export interface ScanJob {
  readonly verdict: Promise<ScanVerdict>;
  /** Gives the message up: clamd drops the work, the verdict is a failure that nobody needs. */
  cancel(): void;
}

/** Failures of the connexion only: another session may do better at once. */
const WORTH_A_RETRY: ReadonlySet<ClamdErrorCode> = new Set(["CLAMD_CLOSED"]);
const ATTEMPTS = 3;

/**
 * Has a message scanned within its budget. A session that ends before it has answered (clamd was restarted) is
 * followed by a new one, and the message is sent again from its start.
 * @param deadline when the verdict is due, on the clock `now`
 */
export function startScan(
  pool: ScannerPool,
  source: ScanSource,
  deadline: number,
  now: () => number,
): ScanJob {
  let current: Scan | null = null;
  let cancelled = false;
  const run = async (): Promise<ScanVerdict> => {
    for (let attempt = 1; ; attempt++) {
      current = pool.scan(source, deadline);
      try {
        return verdictOf(await current.verdict);
      } catch (error) {
        const retry = error instanceof ClamdError && WORTH_A_RETRY.has(error.code);
        if (!cancelled && retry && attempt < ATTEMPTS && now() < deadline) continue;
        return failureOf(error);
      }
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
  const timeout = error instanceof ClamdError && error.code === "CLAMD_TIMEOUT";
  return {
    kind: "failed",
    reason: error instanceof Error ? error.message : String(error),
    header: timeout ? "Read timeout exceeded" : null,
    server: null,
  };
}
