import { describe, expect, test } from "bun:test";
import { ClamdError, type ClamdErrorCode } from "../../src/clamd/clamd-error.ts";
import type { ScannerPool } from "../../src/clamd/pool.ts";
import type { ScanReply } from "../../src/clamd/reply.ts";
import type { ServerVerdict } from "../../src/clamd/server.ts";
import { MESSAGE_BUDGET, PROGRESS_INTERVAL } from "../../src/scan/budget.ts";
import { startScan } from "../../src/scan/job.ts";
import { SpoolError } from "../../src/scan/spool.ts";
import { outcome, sourceOf } from "../clamd/fake-clamd.ts";

type Script = ScanReply | Error | "wait";

interface FakePool extends ScannerPool {
  scans: number;
  cancels: number;
  deadlines: number[];
}

/** A pool that answers scan after scan as told; the last answer is for all that follow. */
function poolOf(...script: readonly Script[]): FakePool {
  return {
    scans: 0,
    cancels: 0,
    deadlines: [],
    scan(_source, deadline) {
      const says = script[Math.min(this.scans++, script.length - 1)] ?? "wait";
      this.deadlines.push(deadline);
      const { promise, resolve, reject } = Promise.withResolvers<ServerVerdict>();
      if (says instanceof Error) reject(says);
      else if (says !== "wait") resolve({ reply: says, server: "s1", version: "ClamAV 1" });
      const cancel = (): void => {
        this.cancels++;
        reject(new ClamdError("CLAMD_CANCELLED", "given up"));
      };
      return { verdict: promise, cancel };
    },
    load: 0,
    tick() {},
    retire() {},
    close() {},
  };
}

const error = (code: ClamdErrorCode): ClamdError => new ClamdError(code, `text of ${code}`);
const start = (pool: ScannerPool, now = (): number => 0) => startScan(pool, sourceOf("x"), 1000, now);

describe("replies become verdicts", () => {
  test.each<[ScanReply, object]>([
    [{ kind: "clean" }, { kind: "clean", server: "s1", version: "ClamAV 1" }],
    [
      { kind: "infected", name: "A b" },
      { kind: "infected", names: ["A b"], server: "s1", version: "ClamAV 1" },
    ],
    [
      { kind: "limitExceeded", name: "Heuristics.Limits.Exceeded" },
      { kind: "oversize", reason: "Heuristics.Limits.Exceeded", server: "s1" },
    ],
    [{ kind: "tooLarge" }, { kind: "oversize", reason: "StreamMaxLength exceeded", server: "s1" }],
    [
      { kind: "failed", text: "no memory" },
      { kind: "failed", reason: "clamd: no memory", header: null, server: "s1" },
    ],
  ])("%j", async (reply, verdict) => {
    const pool = poolOf(reply);
    expect((await start(pool).verdict) as object).toEqual(verdict);
    expect([pool.scans, pool.deadlines]).toEqual([1, [1000]]);
  });
});

describe("failures", () => {
  const failed = { kind: "failed", header: null, server: null };

  test("a session that ended is followed by another", async () => {
    const pool = poolOf(error("CLAMD_CLOSED"), error("CLAMD_CLOSED"), { kind: "infected", name: "V" });
    expect(await start(pool).verdict).toMatchObject({ kind: "infected", names: ["V"] });
    expect([pool.scans, pool.deadlines]).toEqual([3, [1000, 1000, 1000]]);
  });

  test("three times at most", async () => {
    const pool = poolOf(error("CLAMD_CLOSED"));
    expect((await start(pool).verdict) as object).toEqual({ ...failed, reason: "text of CLAMD_CLOSED" });
    expect(pool.scans).toBe(3);
  });

  test("not when the time is over", async () => {
    let time = 0;
    const pool = poolOf(error("CLAMD_CLOSED"));
    const job = startScan(pool, sourceOf("x"), 1000, () => {
      time += 500;
      return time;
    });
    expect(await job.verdict).toMatchObject(failed);
    expect(pool.scans).toBe(2);
  });

  test.each<ClamdErrorCode>(["CLAMD_CONNECT", "CLAMD_PROTOCOL", "CLAMD_CANCELLED", "CLAMD_BUSY"])(
    "%s is not tried again",
    async (code) => {
      const pool = poolOf(error(code), { kind: "clean" });
      expect((await start(pool).verdict) as object).toEqual({ ...failed, reason: `text of ${code}` });
      expect(pool.scans).toBe(1);
    },
  );

  test("a time-out says so in the header", async () => {
    const pool = poolOf(error("CLAMD_TIMEOUT"), { kind: "clean" });
    expect(await start(pool).verdict).toMatchObject({ kind: "failed", header: "Read timeout exceeded" });
    expect(pool.scans).toBe(1);
  });

  test("of another kind are no verdict either", async () => {
    for (const thrown of [new SpoolError(new Error("gone")), new TypeError("a fault")]) {
      expect(await start(poolOf(thrown)).verdict).toMatchObject({ ...failed, reason: thrown.message });
    }
  });
});

describe("giving up", () => {
  test("reaches the scan, and nothing is tried again", async () => {
    const pool = poolOf("wait");
    const job = start(pool);
    expect(await outcome(job.verdict)).toBe("pending");
    job.cancel();
    expect(await job.verdict).toMatchObject({ kind: "failed" });
    expect([pool.scans, pool.cancels]).toEqual([1, 1]);
  });

  test("in the moment of a failure ends the retries", async () => {
    const pool = poolOf(error("CLAMD_CLOSED"), { kind: "clean" });
    const job = start(pool);
    job.cancel();
    expect(await job.verdict).toMatchObject({ kind: "failed" });
    expect(pool.scans).toBe(1);
  });
});

test("the budget is below what MTAs wait, and progress comes in time", () => {
  expect(MESSAGE_BUDGET).toBeLessThan(300_000);
  expect(PROGRESS_INTERVAL).toBeLessThanOrEqual(5000);
});
