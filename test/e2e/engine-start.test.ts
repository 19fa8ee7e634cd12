import { expect, test } from "bun:test";
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachedPart } from "../../scripts/debian/parts.ts";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { writeDirectives } from "../lab/clamd.ts";
import { writeDatabase } from "../lab/database.ts";
import { eicarAttachment } from "../lab/eicar.ts";
import { copiedLibraryEnvironment } from "../lab/engine.ts";
import { BINARY } from "../lab/filter.ts";
import { trustedFolder } from "../lab/folder.ts";
import { mail } from "../lab/mail.ts";
import { run } from "../lab/process.ts";
import { until } from "../lab/wait.ts";
import { asMtaMail, internalLab } from "./engine-lab.ts";

const PATIENCE = 60_000;
const EICAR_MAIL = mail({ attachments: [eicarAttachment()] });

const lab = internalLab();

test.each([
  ["the user's", "daemon", ""],
  ["root's", "root", "clamav-milter-engine\n"],
] as const)(
  "as a user in a jail that is %s: the database is outside, the engine inside",
  async (_whose, owner, left) => {
    const trusted = trustedFolder();
    try {
      const jail = join(trusted.path, "jail");
      const sockets = join(trusted.path, "run");
      for (const path of [jail, sockets]) mkdirSync(path);
      await run({ argv: ["chown", "daemon", sockets], deadline: 5000 });
      await run({ argv: ["chown", owner, jail], deadline: 5000 });
      const database = writeDatabase(join(trusted.path, "db"));
      const conf = join(trusted.path, "clamd.conf");
      const logFile = join(sockets, "log");
      writeDirectives(conf, { DatabaseDirectory: database, User: "daemon", LogFile: logFile });
      const socket = join(sockets, "milter");
      const pidFile = join(sockets, "pid");
      const env = copiedLibraryEnvironment(trusted.path);
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
      expect((await run({ argv: ["ls", "-A", jail], deadline: 5000 })).stdout).toBe(left);
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
  const path = join(lab.folder.path, "broken-libraries");
  mkdirSync(path, { recursive: true });
  for (const name of ["12", "13", "11", "9"])
    writeFileSync(join(path, `libclamav.so.${name}`), "no library\n");
  writeFileSync(join(path, "libclamav.so"), "no library\n");
  return path;
}

test(
  "no library, or no database: status 78 and what to install; with -d mail passes as not scanned",
  async () => {
    const conf = join(lab.folder.path, "missing.conf");
    const socket = join(lab.folder.path, "missing.sock");
    const empty = join(lab.folder.path, "empty-db");
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
    const internal = await lab.started({ DatabaseDirectory: empty }, ["-d"]);
    expect(await internal.send(EICAR_MAIL)).toStartWith("accept Not Scanned");
    writeDatabase(empty);
    await internal.filter.logLine(/virus database loaded/);
    expect(await internal.send(EICAR_MAIL)).toBe("replyCode");
    await lab.stopped(internal);
  },
  PATIENCE,
);
