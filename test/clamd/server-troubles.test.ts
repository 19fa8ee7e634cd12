import { describe, expect, test } from "bun:test";
import { ClamdPool } from "../../src/clamd/pool.ts";
import { outcome, settled, sourceOf } from "./fake-clamd.ts";
import { answerAll, type ServerLab, serverLab } from "./server-lab.ts";

const CLEAN = { reply: { kind: "clean" } };

async function answerLast(lab: ServerLab): Promise<void> {
  await settled();
  const clamd = lab.clamds.at(-1);
  if (clamd === undefined) throw new Error("no session was opened");
  await answerAll(clamd);
}

describe("giving up", () => {
  test("a scan in progress closes its session, and who waits gets a new one", async () => {
    const lab = serverLab({ sessions: 1 });
    const scan = lab.scan("long");
    const next = lab.scan("next");
    await settled();
    scan.cancel();
    expect(lab.clamds[0]?.closed).toBe(1);
    expect(await outcome(scan.verdict)).toBe("CLAMD_CANCELLED");
    await answerLast(lab);
    expect(await outcome(next.verdict)).toMatchObject(CLEAN);
    expect(lab.clamds).toHaveLength(2);
  });

  test("one that waits leaves the queue at once, and nothing else", async () => {
    const lab = serverLab({ sessions: 1 });
    const held = lab.scan("held");
    const given = lab.scan("given up");
    const last = lab.scan("last");
    await settled();
    given.cancel();
    expect(await outcome(given.verdict)).toBe("CLAMD_CANCELLED");
    expect(lab.server.load).toBe(2);
    await answerLast(lab);
    expect(await outcome(held.verdict)).toMatchObject(CLEAN);
    await answerLast(lab);
    expect(await outcome(last.verdict)).toMatchObject(CLEAN);
    expect(lab.clamds[0]?.commands).not.toContain("INSTREAM given up");
  });

  test("many that wait leave nothing behind", async () => {
    const lab = serverLab({ sessions: 1 });
    lab.scan("held");
    const scans = Array.from({ length: 500 }, () => lab.scan("x"));
    const ends = scans.map((scan) => scan.verdict.catch(() => "over"));
    for (const scan of scans) scan.cancel();
    expect(lab.server.load).toBe(1);
    expect(new Set(await Promise.all(ends))).toEqual(new Set(["over"]));
  });

  test("one that is being connected leaves the session to others", async () => {
    const lab = serverLab({ sessions: 1 });
    lab.connects = "wait";
    const scan = lab.scan("given up");
    scan.cancel();
    lab.attempts[0]?.open();
    expect(await outcome(scan.verdict)).toBe("CLAMD_CANCELLED");
    const next = lab.scan("next");
    await answerLast(lab);
    expect(await outcome(next.verdict)).toMatchObject(CLEAN);
    expect([lab.attempts.length, lab.clamds[0]?.commands]).toEqual([
      1,
      ["IDSESSION", "VERSION", "INSTREAM next"],
    ]);
  });

  test("one whose verdict is known does not reach the next scan of that session", async () => {
    const lab = serverLab({ sessions: 1 });
    const scan = lab.scan("done");
    const next = lab.scan("next");
    await settled();
    await answerLast(lab);
    expect(await outcome(scan.verdict)).toMatchObject(CLEAN);
    scan.cancel();
    expect(lab.clamds[0]?.closed).toBe(0);
    await answerLast(lab);
    expect(await outcome(next.verdict)).toMatchObject(CLEAN);
  });
});

describe("a clamd that is away", () => {
  test("fails every scan, those that wait too, and is told of once", async () => {
    const lab = serverLab({ sessions: 1 });
    lab.connects = "refuse";
    const scans = Array.from({ length: 5 }, () => lab.scan("x"));
    const ends = await Promise.all(scans.map((scan) => outcome(scan.verdict)));
    expect(ends).toEqual(Array(5).fill("CLAMD_CONNECT"));
    expect(lab.health).toEqual(["down: connection refused"]);
    expect([lab.server.load, lab.server.sessions]).toEqual([0, 0]);
  });

  test("and is back: told once, and again when it goes", async () => {
    const lab = serverLab();
    lab.connects = "refuse";
    await outcome(lab.scan("a").verdict);
    lab.connects = "open";
    const scans = [lab.scan("b"), lab.scan("c")];
    await settled();
    for (const clamd of lab.clamds) await answerAll(clamd);
    for (const scan of scans) expect(await outcome(scan.verdict)).toMatchObject(CLEAN);
    for (const clamd of lab.clamds) clamd.say("bye");
    lab.connects = "refuse";
    await outcome(lab.scan("d").verdict);
    await outcome(lab.scan("e").verdict);
    expect(lab.health).toEqual(["down: connection refused", "up", "down: connection refused"]);
  });

  test("while others are being served, one refusal lets the next try", async () => {
    const lab = serverLab({ sessions: 1 });
    lab.connects = "wait";
    const first = lab.scan("first");
    const second = lab.scan("second");
    lab.attempts[0]?.refuse();
    await settled();
    expect(await outcome(first.verdict)).toBe("CLAMD_CONNECT");
    expect([lab.attempts.length, lab.server.load]).toEqual([2, 1]);
    lab.attempts[1]?.open();
    await answerLast(lab);
    expect(await outcome(second.verdict)).toMatchObject(CLEAN);
  });
});

describe("closing", () => {
  test("fails what runs and what waits, and ends what rests", async () => {
    const lab = serverLab({ sessions: 2 });
    const done = lab.scan("done");
    const held = lab.scan("held");
    await settled();
    const [resting, busy] = lab.clamds;
    if (resting === undefined || busy === undefined) throw new Error("two sessions were due");
    await answerAll(resting);
    await outcome(done.verdict);
    lab.server.close();
    expect(await outcome(held.verdict)).toBe("CLAMD_CANCELLED");
    expect([resting.closed, busy.closed, resting.commands.at(-1)]).toEqual([1, 1, "END"]);
    expect([lab.server.load, lab.server.sessions]).toEqual([0, 0]);
  });

  test("fails who waits for a session", async () => {
    const lab = serverLab({ sessions: 1 });
    const scans = [lab.scan("held"), lab.scan("waiting")];
    await settled();
    lab.server.close();
    const ends = await Promise.all(scans.map((scan) => outcome(scan.verdict)));
    expect(ends).toEqual(["CLAMD_CANCELLED", "CLAMD_CANCELLED"]);
    expect(lab.attempts).toHaveLength(1);
  });
});

describe("several servers", () => {
  test("the one with the least to do gets the message, the first of equals", async () => {
    const labs = [serverLab(), serverLab(), serverLab()];
    const pool = new ClamdPool(labs.map((lab) => lab.server));
    const loads: string[] = [];
    for (let at = 0; at < 5; at++) {
      void pool.scan(sourceOf("x"), 1_000_000).verdict.catch(() => {});
      loads.push(labs.map((lab) => lab.server.load).join(""));
    }
    expect(loads).toEqual(["100", "110", "111", "211", "221"]);
    await settled();
    await answerLast(labs[2] ?? serverLab());
    void pool.scan(sourceOf("x"), 1_000_000).verdict.catch(() => {});
    expect(labs.map((lab) => lab.server.load)).toEqual([2, 2, 1]);
    pool.close();
    await settled();
    expect(labs.map((lab) => lab.server.load)).toEqual([0, 0, 0]);
  });

  test("none is a failure, not a verdict", async () => {
    const pool = new ClamdPool([]);
    const scan = pool.scan(sourceOf("x"), 1);
    scan.cancel();
    pool.tick();
    expect(await outcome(scan.verdict)).toBe("CLAMD_CONNECT");
    pool.close();
  });
});
