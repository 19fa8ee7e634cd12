import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { type Clamd, startClamd, writeDirectives } from "../lab/clamd.ts";
import { eicar } from "../lab/eicar.ts";
import { BINARY } from "../lab/filter.ts";
import { type LabFolder, trustedFolder } from "../lab/folder.ts";
import { freePort } from "../lab/port.ts";
import { type Finished, type NamespacedProcess, runWell, startNamespaced } from "../lab/process.ts";
import { until } from "../lab/wait.ts";

/** What belongs to glibc itself; `linux-vdso` is the kernel's and no file. */
const OF_GLIBC = /^(libc\.so\.6|libm\.so\.6|libpthread\.so\.0|libdl\.so\.2|ld-linux[-\w]*\.so\.\d)$/;
/** A user that only the bare root knows. */
const USER = { name: "sieve", number: 4711 };

let folder: LabFolder;
let root: string;
let clamd: Clamd;
let space: NamespacedProcess;
let port: number;
let libraries: string[];

beforeAll(async () => {
  folder = trustedFolder();
  clamd = await startClamd({ folder: folder.path, localSocket: false, tcp: true });
  port = await freePort();
  root = join(folder.path, "root");
  for (const name of ["", "dev", "proc", "etc", "run", "tmp"]) mkdirSync(join(root, name));
  chownSync(join(root, "run"), USER.number, USER.number);
  chmodSync(join(root, "tmp"), 0o1777);
  writeFileSync(join(root, "dev/null"), "");
  writeFileSync(join(root, "etc/passwd"), `${USER.name}:x:${USER.number}:${USER.number}::/:/\n`);
  libraries = await librariesOf(BINARY);
  for (const path of libraries) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    copyFileSync(path, join(root, path));
    chmodSync(join(root, path), 0o755);
  }
  copyFileSync(BINARY, join(root, "clamav-milter"));
  writeConf("good.conf", clamd.tcpPort);
  space = startNamespaced({
    name: "bare-root",
    setup: 'mount -t proc proc "$1/proc"\nmount --bind /dev/null "$1/dev/null"\necho prepared',
    arguments: [root],
    argv: ["sleep", "120"],
  });
  await until(() => space.output().includes("prepared"), { what: "the mounts", detail: space.output });
}, 60_000);

afterAll(async () => {
  await space.stop();
  await clamd.stop();
  folder.remove();
});

/** The files that the loader brings in, by their paths. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await runWell({ argv: ["ldd", program] });
  return stdout.split("\n").flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

function writeConf(name: string, clamdPort: number): void {
  writeDirectives(join(root, name), {
    TCPSocket: String(clamdPort),
    TCPAddr: "127.0.0.1",
    LogFile: "/run/milter.log",
    LogClean: "yes",
    User: USER.name,
  });
}

/** Runs the program in the bare root to the end of what was called. */
function start(conf: string): Promise<Finished> {
  const options = ["--external", "-q", "--no-check-cf", "-c", conf, "-i", "/run/milter.pid"];
  return space.inside({
    argv: ["chroot", root, "/clamav-milter", ...options, `inet:${port}@127.0.0.1`],
    deadline: 30_000,
  });
}

async function verdict(body: Buffer): Promise<string> {
  const mta = await MtaConnexion.open({ hostname: "127.0.0.1", port });
  await mta.negotiate();
  await mta.greet();
  const outcome = await mta.mail({ headers: [["Subject", "x"]], body });
  mta.quit();
  return outcome.verdict.kind;
}

test("it needs nothing but the C library's own files", () => {
  expect(libraries.length).toBeGreaterThan(1);
  expect(libraries.map((path) => basename(path)).filter((name) => !OF_GLIBC.test(name))).toEqual([]);
});

test("the one binary on a bare root starts, serves and stops", async () => {
  const pidFile = join(root, "run/milter.pid");
  const log = (): string => readFileSync(join(root, "run/milter.log"), "utf8");
  expect(await start("/good.conf")).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  const pid = readFileSync(pidFile, "latin1").trim();
  expect(await verdict(Buffer.from("clean\r\n"))).toBe("accept");
  expect(await verdict(Buffer.from(eicar()))).toBe("replyCode");
  // Long enough for a spool file.
  expect(await verdict(Buffer.alloc(900_000, "long\r\n"))).toBe("accept");
  const status = await space.inside({ argv: ["cat", `/proc/${pid}/status`] });
  expect(status.stdout).toMatch(new RegExp(`^Uid:(\\s+${USER.number}){4}$`, "m"));
  expect(await start("/good.conf")).toMatchObject({ exitCode: 69 });
  expect(existsSync(pidFile)).toBe(true);
  await space.inside({ argv: ["kill", "-TERM", pid] });
  await until(() => !existsSync(pidFile), { what: "the daemon to stop", detail: log });
  await until(async () => (await space.inside({ argv: ["pgrep", "clamav-milter"] })).exitCode === 1, {
    what: "every process to end",
  });
  expect(log()).toContain("stopped");
  expect(log()).not.toMatch(/ERROR|a fault of/);
  expect(readdirSync(join(root, "run"))).toEqual(["milter.log"]);
  expect(readdirSync(join(root, "tmp"))).toEqual([]);
}, 60_000);

test("on a bare root, too, a start that fails says so", async () => {
  writeConf("away.conf", await freePort());
  const { exitCode, stderr } = await start("/away.conf");
  expect(stderr.trim().split("\n")).toEqual([expect.stringContaining("clamd does not answer")]);
  expect(exitCode).toBe(69);
  expect(readdirSync(join(root, "run")).filter((name) => name !== "milter.log")).toEqual([]);
}, 40_000);
