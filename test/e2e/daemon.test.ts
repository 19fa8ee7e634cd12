import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { type Clamd, startClamd, writeDirectives } from "../lab/clamd.ts";
import { eicar } from "../lab/eicar.ts";
import { BINARY } from "../lab/filter.ts";
import { type LabFolder, trustedFolder } from "../lab/folder.ts";
import { hang } from "../lab/hang.ts";
import { run } from "../lab/process.ts";
import { until } from "../lab/wait.ts";

/** The user that the daemon becomes: one that every Debian has. */
const USER = "daemon";

let folder: LabFolder;
let clamd: Clamd;
let run_: string;
let started: number[] = [];

beforeAll(async () => {
  folder = trustedFolder();
  clamd = await startClamd({ folder: folder.path, tcp: true });
  run_ = join(folder.path, "run");
  mkdirSync(run_);
  await run({ argv: ["chown", USER, run_], deadline: 5000 });
  mkdirSync(join(folder.path, "jail"));
});

afterEach(() => {
  for (const pid of started) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended, as it should.
    }
  }
  started = [];
});

afterAll(async () => {
  await clamd.stop();
  folder.remove();
});

interface Daemon {
  readonly pid: number;
  readonly socket: string;
  readonly log: () => string;
  readonly pidFile: string;
}

let counter = 0;

function confFor(name: string, more: Record<string, string>): { conf: string; logFile: string } {
  const logFile = join(run_, `${name}.log`);
  const conf = join(folder.path, `${name}.conf`);
  writeDirectives(conf, {
    LocalSocket: clamd.socketPath,
    LogFile: logFile,
    LogClean: "yes",
    LogVerbose: "yes",
    User: USER,
    ...more,
  });
  return { conf, logFile };
}

/** Starts the daemon as an init script does, and waits as long as the command takes. */
async function startDaemon(
  options: readonly string[] = [],
  more: Record<string, string> = {},
): Promise<Daemon> {
  const name = `d${++counter}`;
  const { conf, logFile } = confFor(name, more);
  const socket = join(run_, `${name}.sock`);
  const pidFile = join(run_, `${name}.pid`);
  const argv = [BINARY, "-e", "-q", "--no-check-cf", "-c", conf, "-i", pidFile, ...options, `unix:${socket}`];
  const ended = await run({ argv, deadline: 20_000 });
  expect(ended.stderr).toBe("");
  expect(ended.exitCode).toBe(0);
  const pid = Number(readFileSync(pidFile, "latin1"));
  started.push(pid);
  return { pid, socket, pidFile, log: () => readFileSync(logFile, "utf8") };
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}

function titleOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, "latin1");
}

async function verdict(socket: string, body: string): Promise<string> {
  const mta = await MtaConnexion.open({ unix: socket });
  await mta.negotiate();
  await mta.greet();
  const outcome = await mta.mail({ headers: [["Subject", "x"]], body: Buffer.from(body) });
  mta.quit();
  return outcome.verdict.kind;
}

async function ends(daemon: Daemon): Promise<void> {
  process.kill(daemon.pid, "SIGTERM");
  await until(
    () =>
      !existsSync(`/proc/${daemon.pid}`) || / Z /.test(readFileSync(`/proc/${daemon.pid}/stat`, "latin1")),
    {
      what: "the daemon to end",
      detail: daemon.log,
    },
  );
  expect(existsSync(daemon.socket)).toBe(false);
  expect(existsSync(daemon.pidFile)).toBe(false);
}

describe("in the background", () => {
  test("the command returns when mail is accepted; TERM removes everything", async () => {
    const daemon = await startDaemon();
    expect(await verdict(daemon.socket, "clean\r\n")).toBe("accept");
    expect(await verdict(daemon.socket, eicar())).toBe("replyCode");
    const stat = readFileSync(`/proc/${daemon.pid}/stat`, "latin1")
      .replace(/^.*\) /, "")
      .split(" ");
    const [, , , session, terminal] = stat;
    expect([Number(session), Number(terminal)]).toEqual([daemon.pid, 0]);
    expect(readlinkSync(`/proc/${daemon.pid}/cwd`)).toBe("/");
    for (const fd of [0, 1, 2]) expect(readlinkSync(`/proc/${daemon.pid}/fd/${fd}`)).toBe("/dev/null");
    expect(statSync(daemon.socket).mode & 0o777).toBe(0o660);
    await ends(daemon);
    expect(daemon.log()).toContain("stopped");
  }, 60_000);

  test("started twice, the second says so and the first goes on", async () => {
    const daemon = await startDaemon();
    const { conf } = confFor("twice", {});
    const again = await run({
      argv: [BINARY, "-e", "-q", "--no-check-cf", "-c", conf, "-i", daemon.pidFile, join(run_, "other.sock")],
      deadline: 20_000,
    });
    expect(again.exitCode).toBe(69);
    expect(again.stderr).toContain(`already running: ${daemon.pidFile} is held by process ${daemon.pid}`);
    expect(existsSync(join(run_, "other.sock"))).toBe(false);
    expect(await verdict(daemon.socket, "clean\r\n")).toBe("accept");
    await ends(daemon);
  }, 60_000);

  test("a pidfile that a killed one left is taken over", async () => {
    const daemon = await startDaemon();
    process.kill(daemon.pid, "SIGKILL");
    await until(() => childrenGone(daemon.pid), { what: "the killed one to be gone" });
    const { conf } = confFor("stale", {});
    const argv = [
      BINARY,
      "-e",
      "-q",
      "--no-check-cf",
      "-c",
      conf,
      "-i",
      daemon.pidFile,
      `unix:${daemon.socket}`,
    ];
    expect((await run({ argv, deadline: 20_000 })).exitCode).toBe(0);
    started.push(Number(readFileSync(daemon.pidFile, "latin1")));
  }, 60_000);

  const FAILURES: readonly {
    name: string;
    options?: string[];
    more?: Record<string, string>;
    says: RegExp;
    status: number;
  }[] = [
    {
      name: "no such user",
      more: { User: "no-such-user" },
      says: /there is no user "no-such-user"/,
      status: 78,
    },
    {
      name: "an unwritable pidfile",
      options: ["-i", "/proc/x.pid"],
      says: /--pidfile: cannot save/,
      status: 78,
    },
    {
      name: "an unwritable socket directory",
      options: ["unix:/x.sock"],
      says: /cannot listen on unix:\/x\.sock: permission denied/,
      status: 78,
    },
    {
      name: "no such group",
      options: ["--socket-group=no-such-group"],
      says: /there is no group/,
      status: 78,
    },
    {
      name: "a group that the user is not in",
      options: ["--socket-group=shadow"],
      says: /cannot listen on .*: (permission|EPERM|chown|operation)/i,
      status: 78,
    },
    { name: "a jail that is not there", options: ["-C", "/no/such/jail"], says: /jail/i, status: 78 },
    {
      name: "clamd away",
      more: { LocalSocket: "/no/such/clamd.sock" },
      says: /clamd does not answer/,
      status: 69,
    },
    { name: "an unusable log file", more: { LogFile: "/proc/no.log" }, says: /LogFile|no\.log/, status: 78 },
  ];
  for (const { name, options = [], more = {}, says, status } of FAILURES) {
    test(`${name}: the command fails with ${status} and says why, and leaves nothing`, async () => {
      const id = `f${++counter}`;
      const { conf } = confFor(id, more);
      const argv = [
        BINARY,
        "-e",
        "-q",
        "--no-check-cf",
        "-c",
        conf,
        "-i",
        join(run_, `${id}.pid`),
        ...options,
        join(run_, `${id}.sock`),
      ];
      const ended = await run({ argv, deadline: 30_000 });
      expect(ended.stderr.trim().split("\n")).toEqual([expect.stringMatching(says)]);
      expect(ended.exitCode).toBe(status);
      expect(readdirSync(run_).filter((file) => file.startsWith(id) && !file.endsWith(".log"))).toEqual([]);
    }, 60_000);
  }
});

function childrenGone(pid: number): boolean {
  return readdirSync("/proc").every((entry) => {
    if (!/^\d+$/.test(entry)) return true;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "latin1")
        .replace(/^.*\) /, "")
        .split(" ");
      return !(Number(stat[3]) === pid && stat[0] !== "Z");
    } catch {
      return true;
    }
  });
}

describe("users and jail", () => {
  test("in an empty jail: mail is scanned, no thread has a right, no directory is open; a killed child comes back", async () => {
    const jail = realpathSync(join(folder.path, "jail"));
    const daemon = await startDaemon(["--chroot", jail]);
    expect(await verdict(daemon.socket, eicar())).toBe("replyCode");
    const roles = childrenOf(daemon.pid);
    const children = roles.filter((pid) => titleOf(pid).includes("@child"));
    expect(children.length).toBeGreaterThanOrEqual(2);
    expect(roles.length).toBe(children.length + 1);
    for (const pid of children) expectHarmless(pid, jail);
    const keeper = roles.find((pid) => titleOf(pid).includes("@keeper")) ?? 0;
    expectHarmless(keeper, "/");
    expect(readdirSync(jail)).toEqual([]);
    const [victim = 0] = children;
    process.kill(victim, "SIGKILL");
    const back = await until(
      () => {
        const now = childrenOf(daemon.pid).filter((pid) => titleOf(pid).includes("@child") && pid !== victim);
        return now.length === children.length &&
          now.every((pid) => readlinkSync(`/proc/${pid}/root`) === jail && hasNoRight(pid))
          ? now
          : false;
      },
      { what: "the killed child to be back in the jail", deadline: 10_000 },
    );
    for (const pid of back) expectHarmless(pid, jail);
    for (let at = 0; at < 6; at++) expect(await verdict(daemon.socket, eicar())).toBe("replyCode");
    await ends(daemon);
  }, 60_000);

  test("in the jail over TCP, through a keeper that was killed, and a clamd that was restarted", async () => {
    const jail = realpathSync(join(folder.path, "jail"));
    const more = { TCPSocket: String(clamd.tcpPort) };
    const daemon = await startDaemon(["--chroot", jail, "-s", "127.0.0.1"], more);
    expect(await verdict(daemon.socket, eicar())).toBe("replyCode");
    const keeper = childrenOf(daemon.pid).find((pid) => titleOf(pid).includes("@keeper")) ?? 0;
    process.kill(keeper, "SIGKILL");
    await until(
      () => childrenOf(daemon.pid).some((pid) => pid !== keeper && titleOf(pid).includes("@keeper")),
      {
        what: "a new keeper",
        deadline: 10_000,
      },
    );
    await clamd.restart();
    await until(async () => (await verdict(daemon.socket, eicar())) === "replyCode", {
      what: "a verdict",
      deadline: 5000,
    });
    await ends(daemon);
  }, 60_000);

  /** It gives them up after it has entered the jail. */
  function hasNoRight(pid: number): boolean {
    return readdirSync(`/proc/${pid}/task`).every((tid) =>
      /^CapPrm:\s+0+$/m.test(readFileSync(`/proc/${pid}/task/${tid}/status`, "latin1")),
    );
  }

  function expectHarmless(pid: number, root: string): void {
    expect(readlinkSync(`/proc/${pid}/root`)).toBe(root);
    const uid = Number(Bun.spawnSync(["id", "-u", USER]).stdout.toString());
    for (const tid of readdirSync(`/proc/${pid}/task`)) {
      const status = readFileSync(`/proc/${pid}/task/${tid}/status`, "latin1");
      expect(status).toMatch(new RegExp(`^Uid:\\s+${uid}\\s+${uid}\\s+${uid}\\s+${uid}$`, "m"));
      expect(status).toMatch(/^CapPrm:\s+0+$/m);
      expect(status).toMatch(/^CapEff:\s+0+$/m);
      expect(status).toMatch(/^CapInh:\s+0+$/m);
      expect(status).toMatch(/^CapAmb:\s+0+$/m);
    }
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      expect(statSync(`/proc/${pid}/fd/${fd}`).isDirectory()).toBe(false);
    }
  }
});

describe("signals", () => {
  test("HUP under load: settings change, no connexion is dropped, a broken file changes nothing", async () => {
    const daemon = await startDaemon();
    const conf = join(folder.path, `d${counter}.conf`);
    const text = readFileSync(conf, "utf8");
    const mta = await MtaConnexion.open({ unix: daemon.socket });
    await mta.negotiate();
    await mta.greet();
    const long = Buffer.alloc(400_000, "long\r\n");
    for (let round = 0; round < 10; round++) {
      const pending = mta.mail({ headers: [["Subject", "x"]], body: long });
      process.kill(daemon.pid, "SIGHUP");
      expect((await pending).verdict.kind).toBe("accept");
    }
    writeFileSync(conf, `${text}StreamMaxLength 100K\n`);
    process.kill(daemon.pid, "SIGHUP");
    const limited = async (): Promise<boolean> => {
      const { modifications } = await mta.mail({ headers: [["Subject", "x"]], body: long });
      return JSON.stringify(modifications).includes("Not Scanned - StreamMaxLength exceeded");
    };
    await until(limited, { what: "the new limit to count", detail: daemon.log });
    writeFileSync(conf, `${text}NoSuchDirective yes\n`);
    process.kill(daemon.pid, "SIGHUP");
    await until(() => /the settings stay as they were: .*NoSuchDirective/.test(daemon.log()), {
      what: "the complaint",
    });
    expect(await limited()).toBe(true);
    mta.quit();
    await ends(daemon);
  }, 60_000);

  test("HUP: the log goes where clamd.conf says now", async () => {
    const daemon = await startDaemon();
    const conf = join(folder.path, `d${counter}.conf`);
    const other = join(run_, `d${counter}-other.log`);
    const text = readFileSync(conf, "utf8").replace(/^LogFile .*$/m, `LogFile ${other}`);
    writeFileSync(conf, text.replace("LogClean yes", "LogClean no"));
    process.kill(daemon.pid, "SIGHUP");
    const said = (): string => (existsSync(other) ? readFileSync(other, "utf8") : "");
    await until(() => said().includes("the settings were read again"), { what: "the new log" });
    expect(await verdict(daemon.socket, "clean\r\n")).toBe("accept");
    expect(await verdict(daemon.socket, eicar())).toBe("replyCode");
    await until(() => said().includes(": rejected virus="), { what: "a child's line in the new log" });
    expect(said()).not.toContain(": clean from=");
    expect(daemon.log()).not.toContain(": rejected virus=");
    await ends(daemon);
  }, 60_000);

  test.each([
    ["stopped", (pid: number): true => process.kill(pid, "SIGSTOP"), 4000, /was stopped by a signal: killed/],
    ["hung", hang, 12_000, /does not answer for 5 s: killed/],
  ] as const)(
    "a %s child and keeper are replaced",
    async (_how, harm, deadline, complaint) => {
      const daemon = await startDaemon();
      for (const role of ["@child", "@keeper"]) {
        const victim = childrenOf(daemon.pid).find((pid) => titleOf(pid).includes(role)) ?? 0;
        harm(victim);
        await until(() => !childrenOf(daemon.pid).includes(victim), {
          what: `the ${role} to be replaced`,
          deadline,
        });
        await until(() => childrenOf(daemon.pid).length >= 3, { what: "the new one" });
      }
      await until(async () => (await verdict(daemon.socket, eicar())) === "replyCode", {
        what: "a verdict",
        deadline: 5000,
      });
      expect(daemon.log()).toMatch(complaint);
      await ends(daemon);
    },
    60_000,
  );
});
