import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "../../scripts/debian/parts.ts";
import { trustedFolder } from "../lab/folder.ts";
import { type Finished, type LabProcess, run, startProcess } from "../lab/process.ts";
import { until } from "../lab/wait.ts";

/**
 * Stands in for the program: started with `--wait-for-clamd`, `--pidfile=FILE` and a socket address, it leaves a
 * process behind that notes the signals it gets; `fail-N` as its address makes it end with status N, `stubborn` makes it ignore TERM.
 */
const STAND_IN = `
file=\${2#--pidfile=}
printf '%s\\n' "$@" >"$file.words"
shift
case $2 in fail-*) echo "clamav-milter: something is wrong" >&2; exit "\${2#fail-}" ;; esac
setsid "$(readlink /proc/$$/exe)" "\${0%/*}/left-behind" "$file" "$2" >/dev/null 2>&1 </dev/null &
while ! [ -s "$file" ]; do sleep 0.02; done
`;
const LEFT_BEHIND = `
trap 'rm -f "$1"; exit 0' TERM
if [ "$2" = stubborn ]; then trap '' TERM; fi
trap 'echo HUP >>"$1.signals"' HUP
trap 'echo USR1 >>"$1.signals"' USR1
echo $$ >"$1"
while :; do sleep 0.05; done
`;

// Others must be able to look into it, as they can into /run/clamav-milter.
const folder = trustedFolder();
const at = (name: string): string => join(folder.path, name);
const PIDFILE = at("run/clamav-milter.pid");

beforeAll(() => {
  const init = readFileSync(join(REPOSITORY, "scripts/service/clamav-milter.init"), "utf8")
    .replace(/^DAEMON=.*$/m, `DAEMON=${at("clamav-milter")}`)
    .replace(/^DEFAULTS=.*$/m, `DEFAULTS=${at("defaults")}`)
    .replace(/^RUN_DIRECTORY=.*$/m, `RUN_DIRECTORY=${at("run")}`)
    .replace(/^RUN_USER=.*$/m, "RUN_USER=root")
    .replace(/^STOP_SECONDS=.*$/m, "STOP_SECONDS=2");
  writeFileSync(at("init"), init, { mode: 0o755 });
  writeFileSync(at("stand-in"), STAND_IN);
  writeFileSync(at("left-behind"), LEFT_BEHIND);
});

beforeEach(() => {
  rmSync(at("run"), { recursive: true, force: true });
  rmSync(at("clamav-milter"), { force: true });
  copyFileSync("/bin/sh", at("clamav-milter"));
  defaults("unix:/x.sock");
});

// Whatever a test that failed has left behind.
afterEach(() => {
  for (const name of readdirSync("/proc").filter((each) => /^\d+$/.test(each))) {
    if (programOf(Number(name)).startsWith(at("clamav-milter"))) process.kill(Number(name), "SIGKILL");
  }
});

afterAll(() => folder.remove());

/** The file that a process runs; "" when it has gone. */
function programOf(number: number): string {
  try {
    return readlinkSync(`/proc/${number}/exe`);
  } catch {
    return "";
  }
}

function defaults(sockets: string, options = ""): void {
  const words = `${at("stand-in")} ${options}`;
  const lines = [`CLAMAV_MILTER_OPTIONS="${words.trim()}"`, `CLAMAV_MILTER_SOCKETS="${sockets}"`, ""];
  writeFileSync(at("defaults"), lines.join("\n"));
}

function init(...words: string[]): Promise<Finished> {
  return run({ argv: [at("init"), ...words] });
}

/** The script in the hands of a user without rights. */
function initAsNobody(word: string): Promise<Finished> {
  return run({ argv: ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", at("init"), word] });
}

function pid(): number {
  return Number(readFileSync(PIDFILE, "utf8"));
}

/** One that has ended may still be listed, when nobody has asked for its status. */
function alive(number: number): boolean {
  return programOf(number) !== "";
}

async function signals(): Promise<string> {
  const file = `${PIDFILE}.signals`;
  await until(() => existsSync(file), { what: "a signal" });
  const text = readFileSync(file, "utf8");
  rmSync(file);
  return text;
}

test("start, status, signals, restart, stop", async () => {
  expect(await init("status")).toMatchObject({ exitCode: 3, stdout: "clamav-milter: does not run\n" });
  expect(await init("start")).toEqual({ exitCode: 0, stdout: "clamav-milter: started\n", stderr: "" });
  const first = pid();
  expect(alive(first)).toBe(true);
  expect(await init("status")).toMatchObject({
    exitCode: 0,
    stdout: `clamav-milter: runs as process ${first}\n`,
  });
  expect(await init("start")).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("runs already") });
  expect(pid()).toBe(first);
  expect((await init("reload")).exitCode).toBe(0);
  expect(await signals()).toBe("HUP\n");
  expect((await init("force-reload")).exitCode).toBe(0);
  expect(await signals()).toBe("HUP\n");
  expect((await init("reopen-logs")).exitCode).toBe(0);
  expect(await signals()).toBe("USR1\n");
  expect((await init("restart")).exitCode).toBe(0);
  const second = pid();
  expect(second).not.toBe(first);
  expect(alive(first)).toBe(false);
  expect(await init("stop")).toEqual({ exitCode: 0, stdout: "clamav-milter: stopped\n", stderr: "" });
  expect(alive(second)).toBe(false);
  expect((await init("stop")).exitCode).toBe(0);
  expect((await init("reload")).exitCode).toBe(7);
  expect((await init("reopen-logs")).exitCode).toBe(7);
}, 30_000);

test("restart starts what did not run", async () => {
  expect((await init("restart")).exitCode).toBe(0);
  expect((await init("stop")).exitCode).toBe(0);
});

test("what does not end in time is killed", async () => {
  defaults("stubborn");
  await init("start");
  const number = pid();
  const { exitCode, stderr } = await init("stop");
  expect(exitCode).toBe(0);
  expect(stderr).toContain("is killed");
  expect(alive(number)).toBe(false);
}, 20_000);

test("the program is known again after an upgrade", async () => {
  await init("start");
  const number = pid();
  rmSync(at("clamav-milter"));
  copyFileSync("/bin/sh", at("clamav-milter"));
  expect((await init("status")).exitCode).toBe(0);
  expect((await init("stop")).exitCode).toBe(0);
  expect(alive(number)).toBe(false);
});

describe("an error of the program is shown as it is, and its status becomes one of the LSB", () => {
  const cases: readonly (readonly [number, number])[] = [
    [64, 6],
    [78, 6],
    [77, 4],
    [69, 1],
    [70, 1],
  ];
  test.each(cases)("%p becomes %p", async (status, lsb) => {
    defaults(`fail-${status}`);
    const { exitCode, stderr } = await init("start");
    expect(exitCode).toBe(lsb);
    expect(stderr).toBe(`clamav-milter: something is wrong\nclamav-milter: not started (status ${status})\n`);
    expect((await init("status")).exitCode).toBe(3);
  });

  test("a program that is not there is 5", async () => {
    rmSync(at("clamav-milter"));
    expect(await init("start")).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining("is not installed"),
    });
  });

  test.each(["", "begin", "start now"])("the wrong words %p are 2", async (words) => {
    const { exitCode, stderr } = await init(...words.split(" ").filter((word) => word !== ""));
    expect(exitCode).toBe(2);
    expect(stderr).toStartWith("Usage: ");
  });
});

describe("a pidfile is not believed", () => {
  let stranger: LabProcess;
  beforeAll(() => {
    stranger = startProcess({ name: "sleep", argv: ["sleep", "60"] });
  });
  afterAll(() => stranger.stop());

  const contents = (): string[] => [
    String(stranger.pid),
    "1",
    "0",
    "-1",
    "",
    "4 5",
    "$(kill 1)",
    "999999999",
    "١",
  ];
  test("with a number that is no process of the program", async () => {
    await init("start");
    await init("stop");
    for (const content of contents()) {
      writeFileSync(PIDFILE, `${content}\n`);
      expect((await init("status")).exitCode).toBe(1);
      expect((await init("reload")).exitCode).toBe(7);
      expect((await init("stop")).exitCode).toBe(0);
      expect(stranger.running()).toBe(true);
    }
  }, 30_000);
});

test("words are split at blanks and are no patterns", async () => {
  defaults("inet6:7357@[::1] /x[12] /etc/*");
  expect((await init("start")).exitCode).toBe(0);
  expect(readFileSync(`${PIDFILE}.words`, "utf8").split("\n").slice(0, -1)).toEqual([
    "--wait-for-clamd=120",
    `--pidfile=${PIDFILE}`,
    "inet6:7357@[::1]",
    "/x[12]",
    "/etc/*",
  ]);
  await init("stop");
});

test("the wait for clamd is the administrator's, if there is one among the options", async () => {
  defaults("/x", "--wait-for-clamd=5");
  expect((await init("start")).exitCode).toBe(0);
  const words = readFileSync(`${PIDFILE}.words`, "utf8").split("\n").slice(0, -1);
  expect(words).toEqual(["--wait-for-clamd=5", `--pidfile=${PIDFILE}`, "/x"]);
  await init("stop");
});

test("only root can start and stop it, and others are not told more than is known", async () => {
  expect(await initAsNobody("start")).toMatchObject({
    exitCode: 4,
    stderr: "clamav-milter: only root can do this\n",
  });
  await init("start");
  expect((await initAsNobody("status")).exitCode).toBe(4);
  expect((await initAsNobody("stop")).exitCode).toBe(4);
  expect((await init("status")).exitCode).toBe(0);
  await init("stop");
  expect((await initAsNobody("status")).exitCode).toBe(3);
});
