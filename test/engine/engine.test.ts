import { afterAll, beforeAll, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sourceOf } from "../../src/clamd/canary.ts";
import { ClamdError } from "../../src/clamd/clamd-error.ts";
import { connectClamd } from "../../src/clamd/connect.ts";
import type { ScanReply } from "../../src/clamd/reply.ts";
import type { ClamdSession } from "../../src/clamd/session.ts";
import { parseHeader } from "../../src/engine/version-text.ts";
import { sealedFile } from "../../src/os/memory-file.ts";
import { writeDatabase } from "../lab/database.ts";
import { eicarAttachment } from "../lab/eicar.ts";
import { busyThreads, ENDLESS_LIMITS, ENDLESS_SIGNATURE, endlessMail } from "../lab/endless.ts";
import { type LabEngine, startEngine } from "../lab/engine.ts";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { mail } from "../lab/mail.ts";
import { until } from "../lab/wait.ts";

const PATIENCE = 60_000;
let folder: LabFolder;
let database: string;
const engines: LabEngine[] = [];

beforeAll(() => {
  folder = plainFolder();
  database = writeDatabase(join(folder.path, "db"));
});

afterAll(async () => {
  for (const engine of engines) await engine.stop();
  folder.remove();
});

async function started(conf = "", change: Parameters<typeof startEngine>[1] = {}): Promise<LabEngine> {
  const engine = await startEngine(`DatabaseDirectory ${database}\nDisableCache yes\n${conf}`, change);
  engines.push(engine);
  return engine;
}

function sessionWith(engine: LabEngine): Promise<ClamdSession> {
  return connectClamd({ kind: "unix", path: engine.socket, name: "engine" }, 5000, () => {});
}

function scan(session: ClamdSession, bytes: Uint8Array | string): Promise<ScanReply> {
  const message = Buffer.from(bytes);
  return session.scan(sourceOf(message, () => sealedFile([message])));
}

test(
  "a scan past its deadline is an error, its thread is given up, the others go on",
  async () => {
    const engine = await started("MaxThreads 2\nMaxScanSize 0\nMaxFileSize 0", { scanDeadline: 1 });
    const session = await sessionWith(engine);
    const line = "some text that takes the scanner a while, since there is so much of it\r\n";
    expect(await scan(session, mail({ body: line.repeat(400_000) }))).toEqual({
      kind: "failed",
      text: "Time limit reached",
    });
    await until(() => engine.told.some(({ type }) => type === "stuck"), { what: "the engine to tell" });
    expect(await scan(session, mail())).toEqual({ kind: "clean" });
    session.quit();
  },
  PATIENCE,
);

test(
  "an engine that retires answers what it has begun, and says when it is idle",
  async () => {
    const engine = await started();
    const [busy, idle] = [await sessionWith(engine), await sessionWith(engine)];
    expect(await idle.version()).toMatch(/^ClamAV \d/);
    const answer = scan(busy, mail({ body: "text\r\n".repeat(500_000), attachments: [eicarAttachment()] }));
    engine.retire();
    expect(await answer).toMatchObject({ kind: "infected" });
    await until(() => engine.told.some(({ type }) => type === "idle"), { what: "the engine to be idle" });
    expect([busy.ended, idle.ended]).toEqual([true, true]);
  },
  PATIENCE,
);

test(
  "nothing is clean while the temporary directory is gone",
  async () => {
    const engine = await started();
    const session = await sessionWith(engine);
    expect(await scan(session, mail())).toEqual({ kind: "clean" });
    rmSync(engine.temporary, { recursive: true });
    expect(await scan(session, mail()).catch(() => ({ kind: "failed" }))).toMatchObject({ kind: "failed" });
    await until(() => engine.told.some(({ type }) => type === "temporary"), { what: "the engine to tell" });
    mkdirSync(engine.temporary, { mode: 0o700 });
    const again = await sessionWith(engine);
    expect(await scan(again, mail({ attachments: [eicarAttachment()] }))).toMatchObject({ kind: "infected" });
    await until(() => JSON.stringify(engine.told.at(-1)) === '{"type":"temporary","problem":null}', {
      what: "the engine to tell that all is well",
    });
    again.quit();
  },
  PATIENCE,
);

test(
  "many sessions at once: each gets its own verdict",
  async () => {
    const engine = await started("MaxThreads 3");
    const work = Array.from({ length: 20 }, async (_, number) => {
      const session = await sessionWith(engine);
      for (let at = 0; at < 20; at++) {
        const bad = (number + at) % 3 === 0;
        const reply = await scan(session, mail(bad ? { attachments: [eicarAttachment()] } : {}));
        expect(reply.kind).toBe(bad ? "infected" : "clean");
        if (at % 5 === 0) await session.ping();
      }
      session.quit();
    });
    await Promise.all(work);
  },
  PATIENCE,
);

test(
  "a stream over StreamMaxLength is told as clamd tells it",
  async () => {
    const engine = await started("StreamMaxLength 1M");
    const session = await sessionWith(engine);
    expect(await scan(session, "x".repeat(3_000_000))).toEqual({ kind: "tooLarge" });
  },
  PATIENCE,
);

test(
  "why a database cannot be loaded names the file",
  async () => {
    const broken = writeDatabase(join(folder.path, "broken"));
    appendFileSync(join(broken, "lab.ndb"), "nonsense\n");
    const engine = await startEngine(`DatabaseDirectory ${broken}`);
    engines.push(engine);
    expect(engine.told).toEqual([
      {
        type: "unusable",
        reason: expect.stringMatching(/broken cannot be loaded: .*lab\.ndb/),
        judged: true,
      },
    ]);
  },
  PATIENCE,
);

test(
  "a database that cannot be read is not called bad",
  async () => {
    const engine = await startEngine(`DatabaseDirectory ${join(folder.path, "not-there")}`);
    engines.push(engine);
    expect(engine.told).toEqual([
      { type: "unusable", reason: expect.stringMatching(/not-there cannot be loaded/), judged: false },
    ]);
  },
  PATIENCE,
);

test("the version in a database's header", () => {
  const header = `ClamAV-VDB:17 Jul 2024 09-08 +0000:27338:2064592:90:md5:signature:builder:1721207296${" ".repeat(300)}`;
  expect(parseHeader(header)).toEqual({ version: 27338, built: new Date("2024-07-17T09:08:16Z") });
  for (const wrong of ["", "ClamAV-VDB:garbage", "other:a:27338:1:1:m:s:b:1721207296"]) {
    expect(parseHeader(wrong)).toBeNull();
  }
});

test(
  "a thread that is stuck with a message that nobody waits for is noticed, too",
  async () => {
    const endless = writeDatabase(join(folder.path, "endless"));
    writeFileSync(join(endless, "endless.ldb"), ENDLESS_SIGNATURE);
    const limits = Object.entries(ENDLESS_LIMITS).map((each) => `${each.join(" ")}\n`);
    const conf = `DatabaseDirectory ${endless}\nMaxThreads 1\n${limits.join("")}`;
    const engine = await startEngine(conf, { scanDeadline: 4000 });
    engines.push(engine);
    const session = await sessionWith(engine);
    const scanned = scan(session, endlessMail("one"));
    scanned.catch(() => {});
    await until(() => busyThreads(engine.pid) === 1, { what: "the thread to be at it" });
    session.fail(new ClamdError("CLAMD_CANCELLED", "given up"));
    await until(() => engine.told.some(({ type }) => type === "stuck"), { what: "the engine to tell" });
  },
  PATIENCE,
);
