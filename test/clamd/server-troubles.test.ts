import { describe, expect, test } from "bun:test";
import { ClamdError } from "../../src/clamd/clamd-error.ts";
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
    expect(lab.troubles).toBe(5);
    expect([lab.server.load, lab.server.sessions]).toEqual([0, 0]);
  });

  test("is left alone for a while, then tried again, and trusted as soon as it answers", async () => {
    const lab = serverLab();
    lab.connects = "refuse";
    for (const longest of [125, 250, 500, 1000, 2000, 2500, 2500]) {
      await outcome(lab.scan("x").verdict);
      expect(lab.server.usable).toBe(false);
      await lab.pass(longest);
      expect(lab.server.usable).toBe(true);
    }
    await outcome(lab.scan("x").verdict);
    lab.connects = "open";
    const scan = lab.scan("b");
    await answerLast(lab);
    expect(await outcome(scan.verdict)).toMatchObject(CLEAN);
    expect(lab.server.usable).toBe(true);
  });

  test("what all processes know counts as well", () => {
    const lab = serverLab();
    for (const state of ["down", "busy", "blind", "up"] as const) {
      lab.server.learn({ name: lab.server.address.name, state, passing: false });
      expect([lab.server.state, lab.server.usable]).toEqual([state, state === "up"]);
    }
  });

  test("word that it is up again ends the wait", async () => {
    const lab = serverLab();
    lab.connects = "refuse";
    await outcome(lab.scan("x").verdict);
    lab.server.learn({ name: lab.server.address.name, state: "down", passing: false });
    lab.server.learn({ name: lab.server.address.name, state: "up", passing: false });
    expect(lab.server.usable).toBe(true);
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

/** A session that has served a message rests. */
async function withRestingSession(): Promise<ServerLab> {
  const lab = serverLab();
  const scan = lab.scan("first");
  await answerLast(lab);
  await scan.verdict;
  return lab;
}

describe("a session that had ended", () => {
  test("before the message was put into it is replaced, and nobody is blamed", async () => {
    const lab = await withRestingSession();
    const scan = lab.scan("second");
    await settled();
    lab.clamds[0]?.session.fail(new ClamdError("CLAMD_CLOSED", "the connexion was closed"));
    await answerLast(lab);
    expect(await outcome(scan.verdict)).toMatchObject(CLEAN);
    expect([lab.clamds.length, lab.troubles]).toEqual([2, 0]);
  });

  test("twice in a row is a failure", async () => {
    const lab = await withRestingSession();
    const scan = lab.scan("second");
    for (const _ of [1, 2]) {
      await settled();
      lab.clamds.at(-1)?.session.fail(new ClamdError("CLAMD_CLOSED", "the connexion was closed"));
    }
    expect(await outcome(scan.verdict)).toBe("CLAMD_CLOSED");
    expect(lab.troubles).toBe(1);
  });

  test("while clamd was scanning is a failure at once", async () => {
    const lab = await withRestingSession();
    const scan = lab.scan("second");
    await lab.pass(5);
    lab.clamds[0]?.session.fail(new ClamdError("CLAMD_CLOSED", "the connexion was closed"));
    expect(await outcome(scan.verdict)).toBe("CLAMD_CLOSED");
  });
});

describe("a passed descriptor", () => {
  const learn = (lab: ServerLab): void =>
    lab.server.learn({ name: lab.server.address.name, state: "up", passing: true });

  test("takes the place of the stream where a probe has shown that it works", async () => {
    const lab = await withRestingSession();
    learn(lab);
    const scan = lab.scan("second");
    await settled();
    expect(lab.clamds[0]?.commands.at(-1)).toBe("FILDES second");
    lab.clamds[0]?.say("3: fd[9]: Eicar FOUND");
    expect(await outcome(scan.verdict)).toMatchObject({ reply: { kind: "infected", name: "Eicar" } });
  });

  test("that clamd cannot scan is followed by streams for a minute", async () => {
    const lab = await withRestingSession();
    learn(lab);
    const scan = lab.scan("second");
    await settled();
    lab.clamds[0]?.say("3: fd[9]: Not a regular file ERROR");
    expect(await outcome(scan.verdict)).toMatchObject({ reply: { kind: "failed" } });
    lab.scan("third");
    await settled();
    // The old session may be in any state.
    expect([lab.clamds[0]?.closed, lab.clamds[1]?.commands.at(-1)]).toEqual([1, "INSTREAM third"]);
    lab.clamds[1]?.say("1: stream: OK");
    await lab.pass(60_000);
    lab.clamds[1]?.say("2: PONG");
    lab.scan("fourth");
    await settled();
    expect(lab.clamds[1]?.commands.at(-1)).toBe("FILDES fourth");
  });

  test("that the socket does not take ends the session", async () => {
    const lab = await withRestingSession();
    learn(lab);
    const [clamd] = lab.clamds;
    if (clamd !== undefined) clamd.refusesDescriptors = true;
    const scan = lab.scan("second");
    await settled();
    expect([clamd?.closed, lab.clamds[1]?.commands.at(-1)]).toEqual([1, "FILDES second"]);
    lab.clamds[1]?.say("1: fd[9]: OK");
    expect(await outcome(scan.verdict)).toMatchObject(CLEAN);
  });
});

/** Answers as `stream` and takes so many milliseconds for it. */
async function scanned(lab: ServerLab, milliseconds: number, stream = "stream: OK"): Promise<void> {
  const scan = lab.scan("x".repeat(1000));
  await settled();
  await lab.pass(milliseconds);
  const clamd = lab.clamds.at(-1);
  if (clamd !== undefined) await answerAll(clamd, stream);
  await outcome(scan.verdict);
}

describe("several servers", () => {
  test("the faster one gets more", async () => {
    const labs = [serverLab({ sessions: 20 }), serverLab({ sessions: 20 })] as const;
    await scanned(labs[0], 30);
    await scanned(labs[1], 10);
    const pool = new ClamdPool(labs.map((lab) => lab.server));
    for (let at = 0; at < 8; at++) void pool.scan(sourceOf("x"), 1_000_000).verdict.catch(() => {});
    expect(labs.map((lab) => lab.server.load)).toEqual([2, 6]);
    pool.close();
    await settled();
  });

  test("one that was slow long ago gets another chance", async () => {
    const labs = [serverLab({ sessions: 20 }), serverLab({ sessions: 20 })] as const;
    await scanned(labs[0], 1000);
    await scanned(labs[1], 10);
    await labs[0].pass(100_000);
    expect(labs[0].server.cost).toBeLessThan(labs[1].server.cost);
  });

  test("one that is not usable gets nothing, a tried one only when no other is left", () => {
    const names = ["a", "b", "c"];
    const labs = names.map((name) => serverLab({}, name));
    const pool = new ClamdPool(labs.map((lab) => lab.server));
    const chosen = (...tried: readonly string[]): string | null => {
      const scan = pool.scan(sourceOf("x"), 1_000_000, new Set(tried));
      scan.verdict.catch(() => {});
      scan.cancel();
      return scan.server;
    };
    pool.learn([{ name: "a", state: "down", passing: false }]);
    expect([chosen(), chosen("b"), chosen("b", "c"), chosen("a", "b", "c")]).toEqual(["b", "c", "a", "b"]);
    pool.learn([{ name: "a", state: "blind", passing: false }]);
    expect([chosen("b", "c"), pool.size]).toEqual(["b", 2]);
    for (const name of names) pool.learn([{ name, state: "blind", passing: false }]);
    expect([chosen(), pool.size]).toEqual([null, 0]);
  });

  test("a message that all have refused for its size is not sent again for a while", async () => {
    const lab = serverLab();
    await scanned(lab, 1, "INSTREAM size limit exceeded. ERROR");
    const pool = new ClamdPool([lab.server]);
    const large = pool.scan(sourceOf("y".repeat(1000)), 1_000_000);
    expect(await outcome(large.verdict)).toMatchObject({ reply: { kind: "tooLarge" } });
    const small = pool.scan(sourceOf("y".repeat(999)), 1_000_000);
    await settled();
    expect(lab.clamds.at(-1)?.commands.at(-1)).toBe(`INSTREAM ${"y".repeat(999)}`);
    small.verdict.catch(() => {});
    pool.close();
  });

  test("a scan that is stuck with a silent one is moved only if there is another", async () => {
    const [silent, other] = [serverLab(), serverLab()];
    const alone = new ClamdPool([silent.server]);
    const both = new ClamdPool([silent.server, other.server]);
    const scan = silent.scan("x");
    await settled();
    silent.clamds[0]?.say("1: ClamAV 1.4");
    for (const milliseconds of [1_000, 2_000, 1]) await silent.pass(milliseconds);
    alone.tick();
    expect(await outcome(scan.verdict)).toBe("pending");
    both.tick();
    expect(await outcome(scan.verdict)).toBe("CLAMD_SILENT");
    expect(silent.server.usable).toBe(false);
  });

  test("a long scan of one that answers PING stays where it is", async () => {
    const [slow, other] = [serverLab(), serverLab()];
    const both = new ClamdPool([slow.server, other.server]);
    const scan = slow.scan("x");
    await settled();
    slow.clamds[0]?.say("1: ClamAV 1.4");
    for (let id = 3; id < 10; id++) {
      await slow.pass(2_000);
      slow.clamds[0]?.say(`${id}: PONG`);
      await settled();
      both.tick();
    }
    expect(await outcome(scan.verdict)).toBe("pending");
    scan.cancel();
    await outcome(scan.verdict);
  });

  test("one that loads its database loses what it has, if there is another", async () => {
    const [busy, other] = [serverLab(), serverLab()];
    const both = new ClamdPool([busy.server, other.server]);
    const scan = busy.scan("x");
    await busy.pass(900);
    busy.server.learn({ name: busy.server.address.name, state: "busy", passing: false });
    both.tick();
    expect(await outcome(scan.verdict)).toBe("pending");
    await busy.pass(101);
    both.tick();
    expect(await outcome(scan.verdict)).toBe("CLAMD_SILENT");
  });

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
