import { expect, test } from "bun:test";
import { busyThreads, ENDLESS_LIMITS, ENDLESS_SIGNATURE, endlessMail, threadsNamed } from "../lab/endless.ts";
import { hang } from "../lab/hang.ts";
import { mail } from "../lab/mail.ts";
import { until } from "../lab/wait.ts";
import { internalLab, putDatabase } from "./engine-lab.ts";

const PATIENCE = 60_000;
const ALL_RIGHT = { wrong: [], lost: 0 };

const lab = internalLab();

function timed<T>(work: Promise<T>): Promise<[T, number]> {
  const begun = performance.now();
  return work.then((value) => [value, performance.now() - begun]);
}

test(
  "threads that never come back from a message: it fails at its deadline, others go on, the engine is replaced",
  async () => {
    const deadline = 13_000;
    const internal = await lab.started({
      MaxThreads: "2",
      MaxScanTime: "3000",
      ...ENDLESS_LIMITS,
    });
    putDatabase(internal.database, "endless.ldb", ENDLESS_SIGNATURE);
    internal.filter.signal("SIGUSR2");
    await internal.filter.logLine(/virus database loaded: 4 signatures/);
    await until(() => internal.engines().length === 1, { what: "the engine before it to be gone" });
    const [first] = internal.engines();
    const text = endlessMail("one");
    const one = timed(internal.send(text));
    // By the other thread.
    const { wrong, lost } = await internal.traffic(2, 20);
    expect({ wrong, lost }).toEqual(ALL_RIGHT);
    const other = timed(internal.send(endlessMail("other")));
    await until(() => busyThreads(first ?? 0) >= 2, { what: "both threads to be at it" });
    // Nothing is free for this one until another engine is there.
    const waiting = timed(internal.send(mail()));
    for (const [verdict, took] of await Promise.all([one, other])) {
      expect(verdict).toStartWith("tempfail");
      expect(took).toBeGreaterThan(deadline - 1000);
      expect(took).toBeLessThan(deadline + 5000);
    }
    expect((await waiting)[0]).toBe("accept Clean");
    await internal.filter.logLine(/engine \d+ does not come back from a message: another takes its place/);
    await until(() => internal.engines().length === 1, { what: "the old engine to be gone" });
    expect(internal.engines()).not.toContain(first);
    // The MTA brings it again: it does not hold anything up any more.
    const [again, took] = await timed(internal.send(text));
    expect(again).toStartWith("tempfail");
    expect(took).toBeLessThan(deadline - 5000);
    expect(await internal.traffic(2, 20)).toMatchObject(ALL_RIGHT);
    expect(await internal.filter.stop()).toBe(0);
  },
  PATIENCE,
);

test(
  "an engine whose door hangs is replaced, though its main thread lives",
  async () => {
    const internal = await lab.started({});
    const [engine = 0] = internal.engines();
    const load = internal.traffic(4, 50);
    const [door = 0] = threadsNamed(engine, "engine door");
    hang(door);
    await internal.filter.logLine(/engine \d+ does not answer for 5 s: killed/);
    expect(await load).toMatchObject(ALL_RIGHT);
    expect(await internal.filter.stop()).toBe(0);
  },
  PATIENCE,
);
