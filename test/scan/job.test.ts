import { describe, expect, test } from "bun:test";
import { ClamdError, type ClamdErrorCode } from "../../src/clamd/clamd-error.ts";
import type { ScannerPool } from "../../src/clamd/pool.ts";
import type { ScanReply } from "../../src/clamd/reply.ts";
import type { ServerVerdict } from "../../src/clamd/server.ts";
import { MESSAGE_BUDGET, PROGRESS_INTERVAL } from "../../src/scan/budget.ts";
import { contentHash, EndlessMessages } from "../../src/scan/endless.ts";
import { type ScanJob, type ScanWorld, startScan } from "../../src/scan/job.ts";
import { Lane } from "../../src/scan/lane.ts";
import { SpoolError } from "../../src/scan/spool.ts";
import { outcome, sourceOf } from "../clamd/fake-clamd.ts";

type Script = ScanReply | Error | "wait";

interface FakePool extends ScannerPool {
  /** The servers that were asked, in order. */
  asked: string[];
  cancels: number;
  deadlines: number[];
}

/** A pool of `size` servers that answers scan after scan as told; the last answer is for all that follow. */
function poolOf(size: number, ...script: readonly Script[]): FakePool {
  return {
    asked: [],
    cancels: 0,
    deadlines: [],
    size,
    scan(_source, deadline, tried) {
      const says = script[Math.min(this.asked.length, script.length - 1)] ?? "wait";
      const names = Array.from({ length: size }, (_, at) => `s${at + 1}`);
      const server = names.find((name) => !tried.has(name)) ?? "s1";
      this.asked.push(server);
      this.deadlines.push(deadline);
      const { promise, resolve, reject } = Promise.withResolvers<ServerVerdict>();
      if (says instanceof Error) reject(says);
      else if (says !== "wait") resolve({ reply: says, server, version: "ClamAV 1" });
      const cancel = (): void => {
        this.cancels++;
        reject(new ClamdError("CLAMD_CANCELLED", "given up"));
      };
      return { server, verdict: promise, cancel };
    },
    load: 0,
    takes: () => true,
    learn() {},
    tick() {},
    retire() {},
    close() {},
  };
}

interface JobLab extends ScanWorld {
  time: number;
  readonly pauses: number[];
  readonly endlessTold: string[];
}

function worldOf(pool: ScannerPool): JobLab {
  const lab: JobLab = {
    pool,
    endless: new EndlessMessages(),
    suspects: new Lane(),
    onEndless: (hash) => void lab.endlessTold.push(hash),
    now: () => lab.time,
    sleep: async (milliseconds) => {
      lab.pauses.push(milliseconds);
      lab.time += milliseconds;
    },
    time: 0,
    pauses: [],
    endlessTold: [],
  };
  return lab;
}

const DEADLINE = 100_000;
const error = (code: ClamdErrorCode): ClamdError => new ClamdError(code, `text of ${code}`);
const start = (world: ScanWorld): ScanJob => startScan(world, sourceOf("x"), DEADLINE);

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
  ])("%j", async (reply, verdict) => {
    const pool = poolOf(3, reply);
    expect((await start(worldOf(pool)).verdict) as object).toEqual(verdict);
    expect([pool.asked, pool.deadlines]).toEqual([["s1"], [DEADLINE]]);
  });
});

test("too large for one is tried with those that are not known to refuse it", async () => {
  const pool = poolOf(3, { kind: "tooLarge" }, { kind: "infected", name: "V" });
  expect(await start(worldOf(pool)).verdict).toMatchObject({ kind: "infected", server: "s2" });
  const all = poolOf(3, { kind: "tooLarge" });
  const oversize = { kind: "oversize", reason: "StreamMaxLength exceeded" };
  expect(await start(worldOf(all)).verdict).toMatchObject(oversize);
  expect(all.asked).toEqual(["s1", "s2", "s3"]);
  const known = { ...poolOf(3, { kind: "tooLarge" }), takes: () => false };
  expect(await start(worldOf(known)).verdict).toMatchObject(oversize);
  expect(known.asked).toEqual(["s1"]);
});

describe("a failure", () => {
  const failed = { kind: "failed", header: null, server: null };
  const codes: readonly ClamdErrorCode[] = [
    "CLAMD_CONNECT",
    "CLAMD_CLOSED",
    "CLAMD_PROTOCOL",
    "CLAMD_TIMEOUT",
    "CLAMD_SILENT",
    "CLAMD_BUSY",
  ];

  test.each(codes)("%s: the message goes to another server at once", async (code) => {
    const pool = poolOf(2, error(code), { kind: "infected", name: "V" });
    const world = worldOf(pool);
    expect(await start(world).verdict).toMatchObject({ kind: "infected", server: "s2" });
    expect([pool.asked, world.pauses, world.endlessTold]).toEqual([["s1", "s2"], [], []]);
  });

  test("an ERROR of clamd's as well", async () => {
    const pool = poolOf(2, { kind: "failed", text: "no memory" }, { kind: "clean" });
    expect(await start(worldOf(pool)).verdict).toMatchObject({ kind: "clean", server: "s2" });
  });

  test("of all is followed by another round after a pause, and one more", async () => {
    const pool = poolOf(2, error("CLAMD_CONNECT"));
    const world = worldOf(pool);
    expect((await start(world).verdict) as object).toEqual({ ...failed, reason: "text of CLAMD_CONNECT" });
    expect(pool.asked).toEqual(["s1", "s2", "s1", "s2", "s1", "s2"]);
    expect([world.pauses, world.endlessTold]).toEqual([[300, 1000], []]);
  });

  test("of the only one is followed by the same", async () => {
    const pool = poolOf(1, error("CLAMD_CLOSED"), { kind: "failed", text: "busy" }, { kind: "clean" });
    expect(await start(worldOf(pool)).verdict).toMatchObject({ kind: "clean" });
    expect(pool.asked).toEqual(["s1", "s1", "s1"]);
  });

  test("clamd's last words are the reason", async () => {
    const pool = poolOf(1, { kind: "failed", text: "no memory" });
    const verdict: object = await start(worldOf(pool)).verdict;
    expect(verdict).toEqual({ ...failed, reason: "clamd: no memory", server: "s1" });
  });

  test("is the last when the time is over", async () => {
    const pool = poolOf(1, error("CLAMD_CONNECT"));
    const world = worldOf(pool);
    world.time = DEADLINE - 301;
    await start(world).verdict;
    expect(pool.asked).toHaveLength(2);
  });

  test.each<ClamdErrorCode>(["CLAMD_TIMEOUT", "CLAMD_SILENT"])("%s says so in the header", async (code) => {
    const verdict = await start(worldOf(poolOf(1, error(code)))).verdict;
    expect(verdict).toMatchObject({ kind: "failed", header: "Read timeout exceeded" });
  });

  test("of ours is no verdict either, and not tried again", async () => {
    for (const thrown of [new SpoolError(new Error("gone")), new TypeError("a fault")]) {
      const pool = poolOf(2, thrown);
      expect(await start(worldOf(pool)).verdict).toMatchObject({ ...failed, reason: thrown.message });
      expect(pool.asked).toHaveLength(1);
    }
  });
});

describe("a message that no scanner gets through with", () => {
  const hash = contentHash(sourceOf("x"));

  test("in time is told of, when every one has had it, and not tried again", async () => {
    const pool = poolOf(2, error("CLAMD_TIMEOUT"));
    const world = worldOf(pool);
    await start(world).verdict;
    expect([world.endlessTold, pool.asked]).toEqual([[hash], ["s1", "s2"]]);
  });

  test.each([
    [1, 2],
    [2, 3],
    [3, 4],
    [9, 5],
  ])("and of which %d servers die is not tried again after %d deaths", async (size, tries) => {
    const pool = poolOf(size, error("CLAMD_DIED"));
    const world = worldOf(pool);
    const reason = `the scanner has died ${tries} times while it had this message: text of CLAMD_DIED`;
    expect(await start(world).verdict).toMatchObject({ kind: "failed", reason });
    expect([world.endlessTold, pool.asked.length]).toEqual([[hash], tries]);
  });

  test.each(["Time limit reached", "Exceeded time limit"])(
    "by the scanner's own limit of time is one of them: %s",
    async (words) => {
      const pool = poolOf(1, { kind: "failed", text: `fd[7]: ${words}` });
      const world = worldOf(pool);
      expect(await start(world).verdict).toMatchObject({ kind: "failed", header: "Read timeout exceeded" });
      expect([world.endlessTold, pool.asked]).toEqual([[hash], ["s1"]]);
    },
  );

  test("is found out: the others that were in scanning with it are not taken for it", async () => {
    const asked: string[] = [];
    // A scanner that dies of "deadly", and of nothing else; what is in it then is lost.
    let flying: { readonly fail: () => void; readonly done: () => void; readonly text: string }[] = [];
    const pool: ScannerPool = {
      ...poolOf(1),
      scan(source) {
        const { promise, resolve, reject } = Promise.withResolvers<ServerVerdict>();
        const text = Buffer.concat([...{ [Symbol.iterator]: () => source.pieces() }]).toString();
        asked.push(text);
        const fail = (): void => reject(error("CLAMD_DIED"));
        const done = (): void => resolve({ reply: { kind: "clean" }, server: "s1", version: "" });
        flying.push({ fail, done, text });
        queueMicrotask(() => {
          const crew = flying;
          flying = [];
          const dies = crew.some((each) => each.text === "deadly");
          for (const each of crew) dies ? each.fail() : each.done();
        });
        return { server: "s1", verdict: promise, cancel: () => {} };
      },
    };
    const world = worldOf(pool);
    const texts = ["a", "deadly", "b", "c"];
    const verdicts = await Promise.all(
      texts.map((text) => startScan(world, sourceOf(text), DEADLINE).verdict.then(({ kind }) => kind)),
    );
    expect(verdicts).toEqual(["clean", "failed", "clean", "clean"]);
    expect(world.endlessTold).toEqual([contentHash(sourceOf("deadly"))]);
    expect(asked.filter((text) => text === "deadly")).toHaveLength(2);
  });

  test("in time at one of several, the others being away, is not remembered", async () => {
    const world = worldOf(poolOf(2, error("CLAMD_TIMEOUT"), error("CLAMD_CONNECT")));
    await start(world).verdict;
    expect(world.endlessTold).toEqual([]);
  });

  test("is not sent again for a while, and is not clean", async () => {
    const pool = poolOf(1, { kind: "clean" });
    const world = worldOf(pool);
    world.endless.remember(hash, 0);
    expect(await start(world).verdict).toMatchObject({ kind: "failed", header: "Read timeout exceeded" });
    expect(pool.asked).toEqual([]);
    const other = startScan(world, sourceOf("y"), DEADLINE);
    expect(await other.verdict).toMatchObject({ kind: "clean" });
    world.time = 900_000;
    expect(await startScan(world, sourceOf("x"), 2_000_000).verdict).toMatchObject({ kind: "clean" });
  });

  test("is forgotten when there are many later ones", () => {
    const endless = new EndlessMessages();
    for (let at = 0; at <= 1000; at++) endless.remember(`hash ${at}`, at);
    expect([endless.size, endless.has("hash 0", 1), endless.has("hash 1", 1)]).toEqual([1000, false, true]);
    expect(endless.list(900_001)).toHaveLength(999);
  });
});

describe("giving up", () => {
  test("reaches the scan, and nothing is tried again", async () => {
    const pool = poolOf(2, "wait");
    const job = start(worldOf(pool));
    expect(await outcome(job.verdict)).toBe("pending");
    job.cancel();
    expect(await job.verdict).toMatchObject({ kind: "failed" });
    expect([pool.asked.length, pool.cancels]).toEqual([1, 1]);
  });

  test("in the moment of a failure ends the tries", async () => {
    const pool = poolOf(2, error("CLAMD_CLOSED"), { kind: "clean" });
    const job = start(worldOf(pool));
    job.cancel();
    expect(await job.verdict).toMatchObject({ kind: "failed" });
    expect(pool.asked).toHaveLength(1);
  });
});

test("the budget is below what MTAs wait, and progress comes in time", () => {
  expect(MESSAGE_BUDGET).toBeLessThan(300_000);
  expect(PROGRESS_INTERVAL).toBeLessThanOrEqual(5000);
});
