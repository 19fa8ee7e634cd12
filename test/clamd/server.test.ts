import { describe, expect, test } from "bun:test";
import type { ServerLimits } from "../../src/clamd/server.ts";
import type { FakeClamd } from "./fake-clamd.ts";
import { outcome, settled } from "./fake-clamd.ts";
import { answerAll, type ServerLab, serverLab } from "./server-lab.ts";

const CLEAN = { reply: { kind: "clean" }, server: "unix:/run/clamd", version: "ClamAV 1.4" };

function clamdAt(lab: ServerLab, at: number): FakeClamd {
  const clamd = lab.clamds[at];
  if (clamd === undefined) throw new Error(`there are ${lab.clamds.length} sessions only`);
  return clamd;
}

/** A server with one session that has scanned a message and rests. */
async function rested(limits: Partial<ServerLimits> = {}): Promise<ServerLab> {
  const lab = serverLab(limits);
  const scan = lab.scan("first");
  await settled();
  await answerAll(clamdAt(lab, 0));
  await scan.verdict;
  return lab;
}

describe("sessions", () => {
  test("the first scan opens one, asks for the version, and tells who scanned", async () => {
    const lab = serverLab();
    const scan = lab.scan("mail");
    await settled();
    expect(clamdAt(lab, 0).commands).toEqual(["IDSESSION", "VERSION", "INSTREAM mail"]);
    expect([lab.server.load, lab.server.sessions]).toEqual([1, 1]);
    await answerAll(clamdAt(lab, 0));
    expect(await outcome(scan.verdict)).toEqual(CLEAN);
    expect([lab.server.load, lab.server.sessions]).toEqual([0, 1]);
  });

  test("is used again, and the version not asked for each time", async () => {
    const lab = await rested();
    for (const text of ["second", "third"]) {
      const scan = lab.scan(text);
      await answerAll(clamdAt(lab, 0));
      expect(await outcome(scan.verdict)).toEqual(CLEAN);
    }
    expect(lab.clamds).toHaveLength(1);
    expect(clamdAt(lab, 0).commands).toEqual([
      "IDSESSION",
      "VERSION",
      "INSTREAM first",
      "INSTREAM second",
      "INSTREAM third",
    ]);
  });

  test("an old version is asked for anew, and the verdict does not wait for it", async () => {
    const lab = await rested();
    await lab.pass(10_001);
    const scan = lab.scan("second");
    await settled();
    expect(clamdAt(lab, 0).commands.slice(3)).toEqual(["VERSION", "INSTREAM second"]);
    clamdAt(lab, 0).say("4: stream: OK");
    expect(await outcome(scan.verdict)).toEqual(CLEAN);
    clamdAt(lab, 0).say("3: ClamAV 1.5");
    const third = lab.scan("third");
    await settled();
    clamdAt(lab, 0).say("5: stream: OK");
    expect(await outcome(third.verdict)).toEqual({ ...CLEAN, version: "ClamAV 1.5" });
  });

  test("no more than allowed are opened; who waits is served in order", async () => {
    const lab = await rested();
    const done: string[] = [];
    for (const text of ["a", "b", "c", "d", "e"]) {
      void lab.scan(text).verdict.then(() => done.push(text));
    }
    await settled();
    expect([lab.clamds.length, lab.server.load, lab.server.sessions]).toEqual([2, 5, 2]);
    await answerAll(clamdAt(lab, 1));
    await answerAll(clamdAt(lab, 0));
    expect(done).toEqual(["b", "a"]);
    expect(clamdAt(lab, 1).commands.at(-1)).toBe("INSTREAM c");
    expect(clamdAt(lab, 0).commands.at(-1)).toBe("INSTREAM d");
    await answerAll(clamdAt(lab, 0));
    expect(clamdAt(lab, 0).commands.at(-1)).toBe("INSTREAM e");
    await answerAll(clamdAt(lab, 0));
    await answerAll(clamdAt(lab, 1));
    expect(done).toEqual(["b", "a", "d", "e", "c"]);
    expect([lab.clamds.length, lab.server.load]).toEqual([2, 0]);
  });

  test("one that clamd has closed is not used again", async () => {
    const lab = await rested();
    clamdAt(lab, 0).say("COMMAND READ TIMED OUT");
    expect(lab.server.sessions).toBe(0);
    const scan = lab.scan("second");
    await settled();
    await answerAll(clamdAt(lab, 1));
    expect(await outcome(scan.verdict)).toEqual(CLEAN);
    expect(lab.troubles).toBe(0);
  });

  test("one that is over before it is used fails its scan and wakes who waits", async () => {
    const lab = serverLab({ sessions: 1 });
    lab.connects = "wait";
    const first = lab.scan("first");
    const second = lab.scan("second");
    lab.attempts[0]?.open().say("COMMAND READ TIMED OUT");
    await settled();
    expect(await outcome(first.verdict)).toBe("CLAMD_CLOSED");
    expect(lab.attempts).toHaveLength(2);
    const clamd = lab.attempts[1]?.open();
    await settled();
    if (clamd !== undefined) await answerAll(clamd);
    expect(await outcome(second.verdict)).toEqual(CLEAN);
  });

  test("beyond the first they are ended after a minute of rest, with END", async () => {
    const lab = serverLab({ sessions: 3 });
    const scans = ["a", "b", "c"].map((text) => lab.scan(text));
    for (const at of [0, 1, 2]) {
      await settled();
      await answerAll(clamdAt(lab, at));
    }
    await Promise.all(scans.map((scan) => scan.verdict));
    expect(lab.server.sessions).toBe(3);
    for (const _ of [1, 2, 3]) {
      await lab.pass(20_000);
      for (const clamd of lab.clamds) await answerAll(clamd);
    }
    expect(lab.server.sessions).toBe(3);
    await lab.pass(1);
    expect(lab.server.sessions).toBe(1);
    expect(lab.clamds.map((clamd) => clamd.closed)).toEqual([1, 1, 0]);
    expect(clamdAt(lab, 0).commands).toContain("END");
  });
});

describe("keep-alive", () => {
  test("a session at rest gets a PING every 20 s", async () => {
    const lab = await rested();
    await lab.pass(19_999);
    expect(clamdAt(lab, 0).commands).toHaveLength(3);
    await lab.pass(1);
    expect(clamdAt(lab, 0).commands.slice(3)).toEqual(["PING"]);
    await answerAll(clamdAt(lab, 0));
    await lab.pass(20_000);
    expect(clamdAt(lab, 0).commands.slice(3)).toEqual(["PING", "PING"]);
  });

  test("one in which clamd scans for long is asked every second, one PING at a time", async () => {
    const lab = await rested();
    lab.scan("slow");
    for (const milliseconds of [999, 1, 999]) await lab.pass(milliseconds);
    expect(clamdAt(lab, 0).commands.slice(3)).toEqual(["INSTREAM slow", "PING"]);
    clamdAt(lab, 0).say("4: PONG");
    await lab.pass(1);
    expect(clamdAt(lab, 0).commands.slice(3)).toEqual(["INSTREAM slow", "PING", "PING"]);
  });

  test("one that does not answer is ended, so that no message goes into it", async () => {
    const lab = await rested();
    await lab.pass(20_000);
    await lab.pass(5_000);
    expect(lab.server.sessions).toBe(1);
    await lab.pass(1);
    expect(lab.server.sessions).toBe(0);
  });

  test("with a small ReadTimeout the PING comes sooner", async () => {
    const lab = await rested({ silence: 9_000 });
    await lab.pass(3_000);
    expect(clamdAt(lab, 0).commands.slice(3)).toEqual(["PING"]);
  });

  test("but not in the middle of a message", async () => {
    const lab = await rested();
    const clamd = clamdAt(lab, 0);
    clamd.room = 20;
    const scan = lab.scan("x".repeat(200_000));
    await lab.pass(50_000);
    clamd.room = 100_000;
    clamd.drain();
    expect(clamd.commands.slice(3).map((command) => command.slice(0, 12))).toEqual(["INSTREAM xxx"]);
    clamd.say("3: stream: OK");
    expect(await outcome(scan.verdict)).toEqual(CLEAN);
  });
});

describe("time", () => {
  test("a scan without an answer is given up after the silence, and its session with it", async () => {
    const lab = await rested({ sessions: 1 });
    const scan = lab.scan("slow");
    const next = lab.scan("next");
    await lab.pass(119_999);
    expect(await outcome(scan.verdict)).toBe("pending");
    await lab.pass(1);
    expect(await outcome(scan.verdict)).toBe("CLAMD_TIMEOUT");
    expect(clamdAt(lab, 0).closed).toBe(1);
    await answerAll(clamdAt(lab, 1));
    expect(await outcome(next.verdict)).toEqual(CLEAN);
  });

  test("or at its deadline, if that is earlier", async () => {
    const lab = await rested();
    const scan = lab.scan("slow", 1500);
    await lab.pass(499);
    expect(await outcome(scan.verdict)).toBe("pending");
    await lab.pass(1);
    expect(await outcome(scan.verdict)).toBe("CLAMD_TIMEOUT");
  });

  test("so is one that waits for a session, and no other", async () => {
    const lab = serverLab({ sessions: 1 });
    const held = lab.scan("held");
    const scans = [3000, 2000, 4000].map((deadline) => lab.scan("waiting", deadline));
    await settled();
    await lab.pass(1000);
    expect(await Promise.all(scans.map((scan) => outcome(scan.verdict)))).toEqual([
      "pending",
      "CLAMD_BUSY",
      "pending",
    ]);
    expect(lab.server.load).toBe(3);
    await answerAll(clamdAt(lab, 0));
    expect(await outcome(held.verdict)).toEqual(CLEAN);
  });

  test("a connexion gets no longer than its limit, nor than the scan has", async () => {
    const lab = serverLab();
    lab.connects = "wait";
    lab.scan("a");
    lab.scan("b", 1700);
    expect(lab.attempts.map((attempt) => attempt.patience)).toEqual([5000, 700]);
  });

  test("a version that never comes delays the first verdict until the silence, not for ever", async () => {
    const lab = serverLab();
    const scan = lab.scan("mail");
    await settled();
    clamdAt(lab, 0).say("2: stream: V FOUND");
    expect(await outcome(scan.verdict)).toBe("pending");
    await lab.pass(120_000);
    expect(await outcome(scan.verdict)).toMatchObject({
      reply: { kind: "infected", name: "V" },
      version: "",
    });
  });
});
