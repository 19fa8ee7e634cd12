import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachedPart } from "../../scripts/debian/parts.ts";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { writeDirectives } from "../lab/clamd.ts";
import { writeDatabase } from "../lab/database.ts";
import { eicarAttachment } from "../lab/eicar.ts";
import { BINARY } from "../lab/filter.ts";
import { type LabFolder, plainFolder, trustedFolder } from "../lab/folder.ts";
import { mail } from "../lab/mail.ts";
import { run } from "../lab/process.ts";
import { until } from "../lab/wait.ts";
import {
  asMtaMail,
  EICAR_LINE,
  type InternalFilter,
  putDatabase,
  signature,
  startInternal,
} from "./engine-lab.ts";

const PATIENCE = 60_000;
const ALL_RIGHT = { wrong: [], lost: 0 };
const EICAR_MAIL = mail({ attachments: [eicarAttachment()] });

let folder: LabFolder;
/** All that were started: a test that fails leaves its own behind. */
const filters: InternalFilter[] = [];

beforeAll(() => {
  folder = plainFolder();
});

afterAll(async () => {
  await Promise.all(filters.map(({ filter }) => filter.stop()));
  folder.remove();
});

async function started(...order: Parameters<typeof startInternal> extends [unknown, ...infer R] ? R : never) {
  const internal = await startInternal(folder, ...order);
  filters.push(internal);
  return internal;
}

async function stopped(internal: InternalFilter): Promise<void> {
  expect(await internal.filter.stop()).toBe(0);
}

function linesOf(internal: InternalFilter, pattern: RegExp): string[] {
  return internal.filter
    .log()
    .split("\n")
    .filter((line) => pattern.test(line));
}

function loads(internal: InternalFilter): number {
  return linesOf(internal, /virus database loaded/).length;
}

test(
  "without --external the program scans itself, and says with what",
  async () => {
    const internal = await started();
    const mta = await MtaConnexion.open({ unix: internal.socket });
    await mta.negotiate();
    await mta.greet();
    const clean = await mta.mail(asMtaMail(mail()));
    expect(clean.verdict.kind).toBe("accept");
    const added = clean.modifications.map((each) => ("value" in each ? `${each.name}:${each.value}` : ""));
    expect(added[0]).toMatch(/^X-Virus-Scanned: ?ClamAV version \d+\.\d+\.\d+, clamav-milter version /);
    expect(added[1]).toMatch(/^X-Virus-Status: ?Clean$/);
    const found = await mta.mail(asMtaMail(EICAR_MAIL));
    expect(found.verdict).toMatchObject({ kind: "replyCode" });
    expect(JSON.stringify(found.verdict)).toContain(
      "virus Eicar-Test-Signature.UNOFFICIAL detected by ClamAV",
    );
    mta.quit();
    await stopped(internal);
  },
  PATIENCE,
);

test(
  "20 new databases under load: each takes over, no message notices",
  async () => {
    const internal = await started({}, ["-M", "300"]);
    let going = true;
    const tallies: unknown[] = [];
    const load = (async () => {
      while (going) {
        const { wrong, lost } = await internal.traffic(4, 50);
        tallies.push({ wrong, lost });
      }
    })();
    for (let update = 1; update <= 20; update++) {
      putDatabase(
        internal.database,
        `new${update}.ndb`,
        signature(`New.${update}`, `new-marker-${update}-q8Zt`),
      );
      internal.filter.signal("SIGUSR2");
      await until(() => loads(internal) > update, {
        what: `database ${update}`,
        detail: internal.filter.log,
      });
    }
    going = false;
    await load;
    expect(tallies.length).toBeGreaterThan(3);
    expect(new Set(tallies.map((tally) => JSON.stringify(tally)))).toEqual(
      new Set([JSON.stringify(ALL_RIGHT)]),
    );
    await until(async () => (await internal.send(mail({ body: "x new-marker-20-q8Zt y" }))) === "replyCode", {
      what: "the last signature to be found",
    });
    await until(() => internal.engines().length === 1, { what: "the old engines to be gone" });
    await stopped(internal);
  },
  PATIENCE,
);

test(
  "the directory is watched; a broken database is told once, and the old one stays",
  async () => {
    const internal = await started({}, ["-M", "1"]);
    putDatabase(internal.database, "broken.ndb", "this is: no: signature\n");
    await internal.filter.logLine(/the virus database stays as it was: .*broken\.ndb/);
    expect(await internal.send(EICAR_MAIL)).toBe("replyCode");
    putDatabase(internal.database, "broken.ndb", EICAR_LINE.slice(0, 40));
    await until(() => linesOf(internal, /stays as it was/).length === 2, {
      what: "the truncated file to be told",
    });
    writeFileSync(join(internal.database, "broken.cvd"), "ClamAV-VDB:garbage");
    putDatabase(internal.database, "broken.ndb", signature("Mended", "mended-marker-5kQ"));
    await until(() => linesOf(internal, /stays as it was/).length === 3, { what: "the garbage to be told" });
    expect(await internal.send(mail({ body: "mended-marker-5kQ" }))).toBe("accept Clean");
    await run({ argv: ["rm", join(internal.database, "broken.cvd")], deadline: 5000 });
    internal.filter.signal("SIGUSR2");
    await until(() => loads(internal) === 2, { what: "the sound database", detail: internal.filter.log });
    await until(async () => (await internal.send(mail({ body: "mended-marker-5kQ" }))) === "replyCode", {
      what: "the new signature to be found",
    });
    putDatabase(internal.database, "lab.ndb", signature("Only.This", "only-this-8Wx"));
    await internal.filter.logLine(/stays as it was: it does not find the test virus/);
    expect(await internal.send(EICAR_MAIL)).toBe("replyCode");
    await stopped(internal);
  },
  PATIENCE,
);

test(
  "an engine that is killed, crashes or hangs under load costs time only",
  async () => {
    const internal = await started();
    for (const signal of ["SIGKILL", "SIGSEGV", "SIGSTOP"] as const) {
      const before = loads(internal);
      const load = internal.traffic(4, 200);
      await Bun.sleep(100);
      const [engine] = internal.engines();
      expect(engine).toBeDefined();
      process.kill(engine ?? 0, signal);
      const noticed = signal === "SIGSTOP" ? 7000 : 0;
      const at = performance.now();
      await until(() => loads(internal) > before, {
        what: `an engine after ${signal}`,
        detail: internal.filter.log,
      });
      expect(performance.now() - at).toBeLessThan(2000 + noticed);
      const { wrong, lost } = await load;
      expect({ wrong, lost }).toEqual(ALL_RIGHT);
    }
    await stopped(internal);
  },
  PATIENCE,
);

test(
  "no verdict is Clean while the temporary directory is gone, full or read-only",
  async () => {
    const place = join(folder.path, "small");
    mkdirSync(place);
    const setup = 'mount -t tmpfs -o size=8m none "$1" && shift && exec "$@"';
    const wrapper = ["unshare", "--mount", "--", "sh", "-c", setup, "sh", place];
    const internal = await started({ TemporaryDirectory: place }, [], wrapper);
    // The shell has become the filter: its view of the file system is to be had by its number.
    const inside = (path = ""): string => join(`/proc/${internal.filter.pid}/root`, place, path);
    expect(await internal.send(mail())).toBe("accept Clean");
    await run({ argv: ["dd", "if=/dev/zero", `of=${inside("fill")}`, "bs=1M"], deadline: 5000 });
    expect(await internal.send(mail())).toStartWith("tempfail");
    expect(await internal.send(EICAR_MAIL)).not.toStartWith("accept");
    await internal.filter.logLine(/temporary directory is unusable: .*(full|free|ENOSPC)/);
    await run({ argv: ["rm", inside("fill")], deadline: 5000 });
    expect(await internal.send(mail())).toBe("accept Clean");
    await run({ argv: ["sh", "-c", `rm -r ${inside()}/clamav-milter-engine.*`], deadline: 5000 });
    expect(await internal.send(EICAR_MAIL)).not.toStartWith("accept");
    await until(async () => (await internal.send(mail())) === "accept Clean", { what: "a new directory" });
    const inMounts = (script: string) =>
      run({
        argv: ["nsenter", `--mount=/proc/${internal.filter.pid}/ns/mnt`, "sh", "-ec", script, "sh", place],
        deadline: 5000,
      });
    // Over itself, since the kernel keeps a file system writable that has files open for it.
    const over = 'cd "$1"/clamav-milter-engine.*; mount --bind . .; mount -o remount,bind,ro "$PWD"';
    expect((await inMounts(over)).exitCode).toBe(0);
    expect(await internal.send(mail())).toStartWith("tempfail");
    expect((await inMounts('umount "$1"/clamav-milter-engine.*')).exitCode).toBe(0);
    await until(async () => (await internal.send(EICAR_MAIL)) === "replyCode", { what: "scans again" });
    await stopped(internal);
  },
  PATIENCE,
);

test(
  "as a user in a jail: the database is outside, the engine inside",
  async () => {
    const trusted = trustedFolder();
    try {
      const jail = join(trusted.path, "jail");
      const sockets = join(trusted.path, "run");
      for (const path of [jail, sockets]) mkdirSync(path);
      await run({ argv: ["chown", "daemon", jail, sockets], deadline: 5000 });
      const database = writeDatabase(join(trusted.path, "db"));
      const conf = join(trusted.path, "clamd.conf");
      const logFile = join(sockets, "log");
      writeDirectives(conf, { DatabaseDirectory: database, User: "daemon", LogFile: logFile });
      const socket = join(sockets, "milter");
      const pidFile = join(sockets, "pid");
      const env = { LD_LIBRARY_PATH: cachedPart("clamav").libraryPath };
      const argv = [BINARY, "-q", "--no-check-cf", "-c", conf, "-i", pidFile, "-C", jail, `unix:${socket}`];
      const ended = await run({ argv, env, deadline: 20_000 });
      expect(ended.stderr).toBe("");
      expect(ended.exitCode).toBe(0);
      const pid = Number(await Bun.file(pidFile).text());
      try {
        const children = (await Bun.file(`/proc/${pid}/task/${pid}/children`).text()).trim().split(" ");
        const titles = await Promise.all(children.map((child) => Bun.file(`/proc/${child}/cmdline`).text()));
        const engine = children[titles.findIndex((title) => title.includes("@engine"))];
        const rights = await run({ argv: ["sh", "-c", `cat /proc/${engine}/task/*/status`], deadline: 5000 });
        expect(new Set(rights.stdout.match(/^Cap(Eff|Prm|Inh|Amb):.*$/gm))).toEqual(
          new Set(["CapInh", "CapPrm", "CapEff", "CapAmb"].map((name) => `${name}:\t0000000000000000`)),
        );
        const root = await run({ argv: ["readlink", `/proc/${engine}/root`], deadline: 5000 });
        expect(root.stdout.trim()).toBe(realpathSync(jail));
        const mta = await MtaConnexion.open({ unix: socket });
        await mta.negotiate();
        await mta.greet();
        expect((await mta.mail(asMtaMail(EICAR_MAIL))).verdict.kind).toBe("replyCode");
        expect((await mta.mail(asMtaMail(mail()))).verdict.kind).toBe("accept");
        mta.quit();
      } finally {
        process.kill(pid, "SIGTERM");
        await until(() => !isAlive(pid), { what: "the daemon to end" });
      }
      expect((await run({ argv: ["ls", "-A", jail], deadline: 5000 })).stdout).toBe("");
    } finally {
      trusted.remove();
    }
  },
  PATIENCE,
);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Libraries that cannot be loaded stand in front of the system's. */
function brokenLibraries(): string {
  const path = join(folder.path, "broken-libraries");
  mkdirSync(path, { recursive: true });
  for (const name of ["12", "13", "11", "9"])
    writeFileSync(join(path, `libclamav.so.${name}`), "no library\n");
  writeFileSync(join(path, "libclamav.so"), "no library\n");
  return path;
}

test(
  "no library, or no database: status 78 and what to install; with -d mail passes as not scanned",
  async () => {
    const conf = join(folder.path, "missing.conf");
    const socket = join(folder.path, "missing.sock");
    const empty = join(folder.path, "empty-db");
    mkdirSync(empty);
    writeDirectives(conf, { DatabaseDirectory: empty });
    const argv = [BINARY, "-q", "--foreground", "--no-check-cf", "-c", conf, `unix:${socket}`];
    const library = await run({ argv, env: { LD_LIBRARY_PATH: brokenLibraries() }, deadline: 20_000 });
    expect(library.exitCode).toBe(78);
    expect(library.stderr).toMatch(/libclamav cannot be loaded: .*install it \(Debian: libclamav12/);
    const env = { LD_LIBRARY_PATH: cachedPart("clamav").libraryPath };
    const nothing = await run({ argv, env, deadline: 20_000 });
    expect(nothing.exitCode).toBe(78);
    expect(nothing.stderr).toMatch(/the virus database in .*empty-db cannot be loaded: .*install freshclam/);
    const internal = await started({ DatabaseDirectory: empty }, ["-d"]);
    expect(await internal.send(EICAR_MAIL)).toStartWith("accept Not Scanned");
    writeDatabase(empty);
    await internal.filter.logLine(/virus database loaded/);
    expect(await internal.send(EICAR_MAIL)).toBe("replyCode");
    await stopped(internal);
  },
  PATIENCE,
);
