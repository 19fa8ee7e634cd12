import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { BINARY, startFilter } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { freePort } from "../lab/port.ts";
import { run } from "../lab/process.ts";

const folder = plainFolder();
const socket = join(folder.path, "milter.sock");
let clamd: Clamd;
let taken: Server;
let takenPort = 0;
let conf = "";

beforeAll(async () => {
  clamd = await startClamd({ folder: folder.path });
  conf = clamd.confPath;
  taken = createServer((peer) => peer.on("error", () => {}).end("220 mail.example ESMTP\r\n"));
  takenPort = await freePort();
  await new Promise<void>((done) => taken.listen(takenPort, "127.0.0.1", done));
  writeFileSync(join(folder.path, "file.sock"), "precious");
  writeFileSync(join(folder.path, "typo.conf"), `LocalSocket ${clamd.socketPath}\nMaxThreds 5\n`);
  writeFileSync(join(folder.path, "value.conf"), `LocalSocket ${clamd.socketPath}\n\n# x\nMaxThreads many\n`);
  writeFileSync(join(folder.path, "none.conf"), "MaxThreads 5\n");
  writeFileSync(join(folder.path, "no-database.conf"), `DatabaseDirectory ${folder.path}/no-database\n`);
  writeFileSync(join(folder.path, "example.conf"), "Example\nMaxThreads 5\n");
  writeFileSync(join(folder.path, "away.conf"), `LocalSocket ${folder.path}/away.sock\n`);
  writeFileSync(join(folder.path, "not-clamd.conf"), `TCPSocket ${takenPort}\nTCPAddr 127.0.0.1\n`);
});

afterAll(async () => {
  taken.close();
  await clamd.stop();
  folder.remove();
});

interface Failure {
  readonly name: string;
  readonly argv: () => readonly string[];
  readonly status: number;
  readonly says: RegExp;
}

const at = (name: string): string => join(folder.path, name);
const start = (...more: string[]): string[] => [
  "--foreground",
  "--no-check-cf",
  "-e",
  "-q",
  "-c",
  conf,
  ...more,
];

const FAILURES: readonly Failure[] = [
  { name: "a mistyped option", argv: () => start("--locl", socket), status: 64, says: /--locl.*--local/ },
  {
    name: "a missing argument",
    argv: () => ["--foreground", "-e", "-q", socket, "-c"],
    status: 64,
    says: /config-file/,
  },
  { name: "an unexpected argument", argv: () => start("--local=yes", socket), status: 64, says: /--local/ },
  {
    name: "a number out of range",
    argv: () => start("--debug-level=10", socket),
    status: 64,
    says: /debug-level/,
  },
  { name: "no socket address", argv: () => start(), status: 64, says: /socket address/ },
  {
    name: "a socket address of no kind",
    argv: () => start("tcp:25"),
    status: 64,
    says: /socket address "tcp:25"/,
  },
  { name: "a port out of range", argv: () => start("inet:70000"), status: 64, says: /port from 1 to 65535/ },
  {
    name: "an ignored network of no kind",
    argv: () => start("-I", "10.0.0.0/40", socket),
    status: 64,
    says: /ignore/,
  },
  {
    name: "options that exclude each other",
    argv: () => start("-L", "-l", socket),
    status: 78,
    says: /local/,
  },
  {
    name: "the built-in engine without a library, or without a database",
    argv: () => ["--foreground", "--no-check-cf", "-c", at("no-database.conf"), socket],
    status: 78,
    says: /libclamav cannot be loaded|the virus database in .* cannot be loaded/,
  },
  {
    name: "no clamd.conf",
    argv: () => ["--foreground", "-e", "-q", "-c", at("no.conf"), socket],
    status: 78,
    says: /no\.conf/,
  },
  {
    name: "an unknown directive",
    argv: () => ["--foreground", "-e", "-q", "-c", at("typo.conf"), socket],
    status: 78,
    says: /typo\.conf:2: MaxThreds.*MaxThreads/,
  },
  {
    name: "a directive's bad value",
    argv: () => ["--foreground", "-e", "-q", "-c", at("value.conf"), socket],
    status: 78,
    says: /value\.conf:4: MaxThreads/,
  },
  {
    name: "an unedited example",
    argv: () => ["--foreground", "-e", "-q", "-c", at("example.conf"), socket],
    status: 78,
    says: /example\.conf:1: Example/,
  },
  {
    name: "no scanner in clamd.conf",
    argv: () => ["--foreground", "-e", "-q", "-c", at("none.conf"), socket],
    status: 78,
    says: /LocalSocket or TCPSocket/,
  },
  {
    name: "clamd away",
    argv: () => ["--foreground", "-e", "-q", "-c", at("away.conf"), socket],
    status: 69,
    says: /away\.sock: no such socket: is clamd running/,
  },
  {
    name: "a port that is no clamd's",
    argv: () => ["--foreground", "-e", "-q", "-c", at("not-clamd.conf"), socket],
    status: 69,
    says: /127\.0\.0\.1:\d+: clamd says: 220 mail/,
  },
  {
    name: "a port in use",
    argv: () => start(socket, `inet:${takenPort}@127.0.0.1`),
    status: 78,
    says: /another program listens there/,
  },
  {
    name: "an address of another host",
    argv: () => start(socket, "inet:7357@192.0.2.1"),
    status: 78,
    says: /not one of this host's/,
  },
  {
    name: "a directory that is not there",
    argv: () => start("/nonexistent/milter.sock"),
    status: 78,
    says: /the directory does not exist/,
  },
  { name: "a file that is no socket", argv: () => start(at("file.sock")), status: 78, says: /not a socket/ },
];

describe("what keeps the filter from starting", () => {
  for (const { name, argv, status, says } of FAILURES) {
    test(`${name}: one line and status ${status}`, async () => {
      const before = readdirSync(folder.path).sort();
      const ended = await run({ argv: [BINARY, ...argv()], deadline: 20_000 });
      const lines = ended.stderr.split("\n").filter((line) => line !== "" && !line.includes("WARNING: "));
      expect(lines).toEqual([expect.stringMatching(says)]);
      expect(lines[0]).toStartWith("clamav-milter: ");
      expect(ended.exitCode).toBe(status);
      expect(ended.stdout).toBe("");
      expect(readdirSync(folder.path).sort()).toEqual(before);
    });
  }

  test("a second one on the same socket is refused, and the first goes on", async () => {
    const first = await startFilter({ conf, sockets: [`unix:${socket}`] });
    const second = await run({ argv: [BINARY, ...start(socket)], deadline: 20_000 });
    expect(second.exitCode).toBe(78);
    expect(second.stderr).toContain("another program answers on this socket");
    expect(first.running()).toBe(true);
    expect(existsSync(socket)).toBe(true);
    expect(await first.stop()).toBe(0);
    expect(existsSync(socket)).toBe(false);
  });

  test("a stale socket is replaced", async () => {
    const first = await startFilter({ conf, sockets: [`unix:${socket}`] });
    first.signal("SIGKILL");
    await first.exited;
    expect(existsSync(socket)).toBe(true);
    const second = await startFilter({ conf, sockets: [`unix:${socket}`] });
    expect(await second.stop()).toBe(0);
    expect(existsSync(socket)).toBe(false);
  });
});

test.each([
  ["a shell's <(…)", 'exec "$@" -c <(cat "$CONF")'],
  ["standard input", 'exec "$@" -c /dev/stdin < <(cat "$CONF")'],
])("clamd.conf may come from %s, which can be read only once", async (_name, script) => {
  // The last -c counts.
  const plan = { conf: at("no.conf"), wrapper: ["bash", "-c", script, "bash"], env: { CONF: conf } };
  const filter = await startFilter({ ...plan, sockets: [`unix:${socket}`] });
  expect(await filter.stop()).toBe(0);
});

test("--version tells ours and clamd's", async () => {
  const { exitCode, stdout } = await run({ argv: [BINARY, "-e", "-c", conf, "-V"], deadline: 20_000 });
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^clamav-milter version \d+\.\d+\.\d+\nClamAV 1\.\d+\.\d+\S* on unix:\S+\n$/);
});

test("the processes have nothing of the caller's environment but its time zone", async () => {
  const env = {
    TZ: "Europe/Vienna",
    LD_LIBRARY_PATH: folder.path,
    BUN_JSC_useFTLJIT: "1",
    MIMALLOC_PURGE_DELAY: "7",
    HOME: folder.path,
  };
  const filter = await startFilter({ conf, sockets: [`unix:${socket}`], options: ["-q"], env });
  const own = [
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C.UTF-8",
    "BUN_JSC_useFTLJIT=0",
    "MIMALLOC_PURGE_HOLES_MIN_INTERVAL=10000",
    "TZ=Europe/Vienna",
  ];
  const seen = new Set<string>();
  for (const pid of filter.children()) {
    const [, role = ""] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter(Boolean);
    const childs = ["BUN_JSC_forceRAMSize=200000000", "MIMALLOC_PURGE_DELAY=30000"];
    expect(environment.toSorted()).toEqual([...own, ...(role === "@child" ? childs : [])].toSorted());
    seen.add(role);
  }
  expect([...seen].toSorted()).toEqual(["@child", "@keeper"]);
  // In the foreground it is the caller's own process and command line, but its runtime is ours.
  expect(readFileSync(`/proc/${filter.pid}/cmdline`, "utf8").split("\0")).toContain("--foreground");
  const supervisors = readFileSync(`/proc/${filter.pid}/environ`, "utf8").split("\0");
  expect(supervisors).toContainValues([`HOME=${folder.path}`, "MIMALLOC_PURGE_DELAY=7"]);
  expect(supervisors.filter((word) => word.startsWith("BUN_JSC_")).toSorted()).toEqual([
    "BUN_JSC_useDFGJIT=0",
    "BUN_JSC_useFTLJIT=0",
  ]);
  expect(await filter.stop()).toBe(0);
});

test("the environment of the caller does not turn the program into something else", async () => {
  const env = { BUN_OPTIONS: "", NODE_OPTIONS: "--inspect" };
  chmodSync(folder.path, 0o755);
  const { exitCode, stdout } = await run({ argv: [BINARY, "-V"], env, deadline: 20_000 });
  expect(exitCode).toBe(0);
  expect(stdout).toStartWith("clamav-milter version ");
});
