import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "../../scripts/debian/parts.ts";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { type Clamd, startClamd, writeDirectives } from "../lab/clamd.ts";
import { eicar } from "../lab/eicar.ts";
import { BINARY } from "../lab/filter.ts";
import { type LabFolder, trustedFolder } from "../lab/folder.ts";
import { type Finished, run } from "../lab/process.ts";
import { until } from "../lab/wait.ts";

/** The shipped init script and the real program: init.test.ts has the script's own cases with a stand-in. */
const USER = "daemon";
let folder: LabFolder;
let clamd: Clamd;

const at = (name: string): string => join(folder.path, name);

beforeAll(async () => {
  folder = trustedFolder();
  clamd = await startClamd({ folder: folder.path });
  // A copy: the script knows its processes by the file that they run, and so does the end of this test.
  copyFileSync(BINARY, at("clamav-milter"));
  const init = readFileSync(join(REPOSITORY, "scripts/service/clamav-milter.init"), "utf8")
    .replace(/^DAEMON=.*$/m, `DAEMON=${at("clamav-milter")}`)
    .replace(/^DEFAULTS=.*$/m, `DEFAULTS=${at("defaults")}`)
    .replace(/^RUN_DIRECTORY=.*$/m, `RUN_DIRECTORY=${at("run")}`)
    .replace(/^RUN_USER=.*$/m, `RUN_USER=${USER}`);
  writeFileSync(at("init"), init, { mode: 0o755 });
  const lines = [
    `CLAMAV_MILTER_OPTIONS="--external -q --no-check-cf --wait-for-clamd=1 -c ${at("milter.conf")}"`,
    `CLAMAV_MILTER_SOCKETS="unix:${at("run/milter.sock")}"`,
    "",
  ];
  writeFileSync(at("defaults"), lines.join("\n"));
  writeConf({});
}, 60_000);

afterAll(async () => {
  for (const pid of ours()) process.kill(pid, "SIGKILL");
  await clamd.stop();
  folder.remove();
});

function writeConf(more: Record<string, string>): void {
  const LogFile = at("run/milter.log");
  writeDirectives(at("milter.conf"), { LocalSocket: clamd.socketPath, LogFile, User: USER, ...more });
  chmodSync(at("milter.conf"), 0o644);
}

/** Every process that runs our copy of the program. */
function ours(): number[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      return readlinkSync(`/proc/${name}/exe`) === at("clamav-milter") ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

function init(word: string): Promise<Finished> {
  return run({ argv: [at("init"), word], deadline: 60_000 });
}

function pid(): number {
  return Number(readFileSync(at("run/clamav-milter.pid"), "latin1"));
}

function log(): string {
  return readFileSync(at("run/milter.log"), "utf8");
}

async function verdict(body: string): Promise<string> {
  const mta = await MtaConnexion.open({ unix: at("run/milter.sock") });
  await mta.negotiate();
  await mta.greet();
  const outcome = await mta.mail({ headers: [["Subject", "x"]], body: Buffer.from(body) });
  mta.quit();
  return outcome.verdict.kind;
}

test("start, status, reload, reopen-logs, restart and stop of the real program", async () => {
  expect((await init("status")).exitCode).toBe(3);
  expect(await init("start")).toEqual({ exitCode: 0, stdout: "clamav-milter: started\n", stderr: "" });
  // At once: the script has returned because mail is accepted.
  expect(await verdict(eicar())).toBe("replyCode");
  const first = pid();
  expect(await init("status")).toMatchObject({
    exitCode: 0,
    stdout: `clamav-milter: runs as process ${first}\n`,
  });
  expect(await init("start")).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("runs already") });
  expect((await init("reload")).exitCode).toBe(0);
  await until(() => log().includes("the settings were read again"), { what: "the reload", detail: log });
  renameSync(at("run/milter.log"), at("run/milter.log.1"));
  expect((await init("reopen-logs")).exitCode).toBe(0);
  await until(() => existsSync(at("run/milter.log")), { what: "the new log" });
  expect(pid()).toBe(first);
  expect((await init("restart")).exitCode).toBe(0);
  expect(pid()).not.toBe(first);
  expect(existsSync(`/proc/${first}`) && ours().includes(first)).toBe(false);
  expect(await verdict("clean\r\n")).toBe("accept");
  expect(await init("stop")).toEqual({ exitCode: 0, stdout: "clamav-milter: stopped\n", stderr: "" });
  expect(ours()).toEqual([]);
  expect(readdirSync(at("run")).sort()).toEqual(["milter.log", "milter.log.1"]);
  expect((await init("status")).exitCode).toBe(3);
  expect((await init("reload")).exitCode).toBe(7);
}, 90_000);

test("a start that fails is told by the script, and leaves nothing", async () => {
  const cases: readonly (readonly [Record<string, string>, RegExp, number])[] = [
    [{ NoSuchDirective: "yes" }, /NoSuchDirective/, 6],
    [{ User: "no-such-user" }, /there is no user/, 6],
    [{ LocalSocket: at("no-clamd.sock") }, /clamd does not answer/, 1],
  ];
  for (const [more, says, status] of cases) {
    writeConf(more);
    const { exitCode, stderr } = await init("start");
    expect(stderr.trim().split("\n")).toEqual([
      expect.stringMatching(says),
      expect.stringMatching(/not started/),
    ]);
    expect(exitCode).toBe(status);
    expect((await init("status")).exitCode).toBe(3);
    expect(ours()).toEqual([]);
    expect(readdirSync(at("run")).filter((name) => !name.startsWith("milter.log"))).toEqual([]);
  }
  writeConf({});
}, 90_000);
