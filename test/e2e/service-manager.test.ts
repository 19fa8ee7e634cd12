import { dlopen, FFIType, ptr } from "bun:ffi";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { boundArgv, FIXED_ENV, gather, killGroup } from "../../scripts/debian/child.ts";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { sendTraffic } from "../../scripts/load/traffic.ts";
import {
  AF_INET,
  AF_UNIX,
  bindSocket,
  closeDescriptor,
  listenSocket,
  streamSocket,
} from "../../src/os/libc.ts";
import { datagramSocket } from "../../src/os/log-calls.ts";
import { inetAddress, unixAddress } from "../../src/os/sockaddr.ts";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { eicar } from "../lab/eicar.ts";
import { BINARY } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { hang } from "../lab/hang.ts";
import { freePort } from "../lab/port.ts";
import { type LabProcess, startProcess } from "../lab/process.ts";
import { until } from "../lab/wait.ts";

const PATIENCE = 60_000;
const { symbols: libc } = dlopen("libc.so.6", {
  // ssize_t recv(int sockfd, void *buf, size_t len, int flags);
  recv: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i64_fast },
  // int clock_gettime(clockid_t clockid, struct timespec *tp);
  clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
});
const CLOCK_MONOTONIC = 1;

const folder = plainFolder();
let clamd: Clamd;

beforeAll(async () => {
  clamd = await startClamd({ folder: folder.path });
}, PATIENCE);

afterAll(async () => {
  await clamd.stop();
  folder.remove();
});

/** What a service manager hears, and when (milliseconds). */
interface Note {
  readonly text: string;
  readonly at: number;
}

interface Manager {
  readonly notes: readonly Note[];
  /** The moment of the first such note that came after another moment. */
  heard(text: RegExp, after?: number): Promise<number>;
  stop(): void;
}

/** The stand-in for a service manager. */
function startManager(address: Uint8Array): Manager {
  const fd = datagramSocket();
  bindSocket(fd, address);
  const buffer = Buffer.alloc(4096);
  const notes: Note[] = [];
  const timer = setInterval(() => {
    for (;;) {
      const length = Number(libc.recv(fd, ptr(buffer), buffer.length, 0));
      if (length < 0) return;
      notes.push({ text: buffer.toString("utf8", 0, length), at: performance.now() });
    }
  }, 5);
  return {
    notes,
    heard: (text, after = 0) =>
      until(() => notes.find((note) => note.at > after && text.test(note.text))?.at, {
        what: `the note ${text}`,
        detail: () => JSON.stringify(notes),
      }),
    stop: () => {
      clearInterval(timer);
      closeDescriptor(fd);
    },
  };
}

function abstractAddress(name: string): Uint8Array {
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX, 0);
  return Buffer.concat([family, Buffer.from(`\0${name}`)]);
}

function startWatched(
  env: Readonly<Record<string, string>>,
  socket: string,
  options: readonly string[] = [],
): LabProcess {
  const fixed = ["--foreground", "-e", "-q", "--no-check-cf", "-c", clamd.confPath];
  return startProcess({
    name: "clamav-milter",
    argv: [BINARY, ...fixed, ...options, `unix:${socket}`],
    env,
  });
}

async function verdict(address: Parameters<typeof MtaConnexion.open>[0], body: string): Promise<string> {
  const mta = await MtaConnexion.open(address);
  await mta.negotiate();
  await mta.greet();
  const outcome = await mta.mail({ headers: [["Subject", "x"]], body: Buffer.from(body) });
  mta.quit();
  return outcome.verdict.kind;
}

function childrenOf(pid: number): number[] {
  const found = Bun.spawnSync(["pgrep", "-P", String(pid), "-f", "@child"]).stdout.toString();
  return found
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
}

/** Lets time pass in which something must not happen. */
async function pass(milliseconds: number): Promise<void> {
  const end = performance.now() + milliseconds;
  await until(() => performance.now() > end, { what: "time to pass" });
}

describe("what the manager is told", () => {
  test.each(["path", "abstract"] as const)(
    "ready when mail is accepted and not before, reloading, stopping: NOTIFY_SOCKET by %s",
    async (kind) => {
      const name = `milter-test-${randomBytes(6).toString("hex")}`;
      const path = join(folder.path, "notify.sock");
      const manager = startManager(kind === "path" ? unixAddress(path) : abstractAddress(name));
      const socket = join(folder.path, `${kind}.sock`);
      clamd.kill("SIGSTOP");
      const filter = startWatched({ NOTIFY_SOCKET: kind === "path" ? path : `@${name}` }, socket);
      try {
        // As long as clamd is silent, there is nothing to be ready for.
        await pass(1500);
        expect(manager.notes).toEqual([]);
        expect(existsSync(socket)).toBe(false);
        clamd.kill("SIGCONT");
        const ready = await manager.heard(/^READY=1$/);
        expect(await verdict({ unix: socket }, eicar())).toBe("replyCode");
        filter.signal("SIGHUP");
        const reloading = await manager.heard(/^RELOADING=1\nMONOTONIC_USEC=\d+$/, ready);
        await manager.heard(/^READY=1$/, reloading - 1);
        const [told] = manager.notes.filter((note) => note.text.startsWith("RELOADING"));
        const clock = new BigInt64Array(2);
        libc.clock_gettime(CLOCK_MONOTONIC, ptr(clock));
        const age = Number(clock[0]) * 1_000_000 - Number(/\d+$/.exec(told?.text ?? "")?.[0]);
        // The clock's whole seconds only.
        expect(age).toBeGreaterThan(-1_000_000);
        expect(age).toBeLessThan(10_000_000);
        filter.signal("SIGTERM");
        expect(await filter.exited).toBe(0);
        await manager.heard(/^STOPPING=1$/);
        const texts = manager.notes.map((note) => note.text.replace(/\d{2,}/, "N"));
        expect(texts).toEqual(["READY=1", "RELOADING=1\nMONOTONIC_USEC=N", "READY=1", "STOPPING=1"]);
      } finally {
        clamd.kill("SIGCONT");
        await filter.stop();
        manager.stop();
      }
    },
    PATIENCE,
  );

  test(
    "while clamd is waited for, more time is asked for",
    async () => {
      const path = join(folder.path, "waiting.sock");
      const manager = startManager(unixAddress(path));
      const socket = join(folder.path, "waiting-milter.sock");
      await clamd.stop();
      const filter = startWatched({ NOTIFY_SOCKET: path }, socket, ["--wait-for-clamd=60"]);
      try {
        const first = await manager.heard(/^EXTEND_TIMEOUT_USEC=30000000$/);
        await manager.heard(/^EXTEND_TIMEOUT_USEC=30000000$/, first);
        expect(manager.notes.every(({ text }) => text.startsWith("EXTEND_"))).toBe(true);
        await clamd.restart();
        const ready = await manager.heard(/^READY=1$/);
        await pass(6000);
        expect(manager.notes.filter(({ text, at }) => at > ready && text.startsWith("EXTEND_"))).toEqual([]);
      } finally {
        await filter.stop();
        manager.stop();
        if (!clamd.running()) await clamd.restart();
      }
    },
    PATIENCE,
  );

  test(
    "the watchdog is fed while supervisor and children answer, and only then",
    async () => {
      const path = join(folder.path, "watchdog.sock");
      const manager = startManager(unixAddress(path));
      const socket = join(folder.path, "watched.sock");
      const period = 1200;
      const filter = startWatched({ NOTIFY_SOCKET: path, WATCHDOG_USEC: String(period * 1000) }, socket);
      const pings = (from: number, to = Number.POSITIVE_INFINITY): number[] =>
        manager.notes
          .filter(({ text, at }) => text === "WATCHDOG=1" && at >= from && at < to)
          .map(({ at }) => at);
      try {
        const ready = await manager.heard(/^READY=1$/);
        await until(() => pings(ready).length >= 5, { what: "pings" });
        const [first = 0, ...others] = pings(ready);
        expect(first - ready).toBeLessThan(period / 2);
        let last = first;
        for (const at of others) {
          expect(at - last).toBeLessThan(period / 2);
          last = at;
        }
        const children = childrenOf(filter.pid);
        expect(children.length).toBeGreaterThanOrEqual(2);

        filter.signal("SIGSTOP");
        const stopped = performance.now() + 100;
        await pass(100 + period);
        expect(pings(stopped)).toEqual([]);
        filter.signal("SIGCONT");
        await manager.heard(/^WATCHDOG=1$/, stopped);
        expect(childrenOf(filter.pid)).toEqual(children);

        // One child that answers is enough.
        const [one = 0] = children;
        const alone = performance.now();
        hang(one);
        await until(() => !childrenOf(filter.pid).includes(one), { what: "the hung one to be killed" });
        expect(pings(alone + 3200).length).toBeGreaterThanOrEqual(1);
        const replaced = (): boolean => childrenOf(filter.pid).length === children.length;
        await until(replaced, { what: "another child" });

        const now = childrenOf(filter.pid);
        for (const child of now) hang(child);
        // Their last answer may be a second old.
        const silence = performance.now() + 4000;
        const complaint = new RegExp(`child (${now.join("|")}) does not answer for 5 s: killed`);
        const killed = await until(() => complaint.test(filter.output()) && performance.now(), {
          what: "the hung ones to be killed",
        });
        expect(pings(silence, killed)).toEqual([]);
        await manager.heard(/^WATCHDOG=1$/, killed);
        expect(await verdict({ unix: socket }, eicar())).toBe("replyCode");
      } finally {
        filter.signal("SIGCONT");
        await filter.stop();
        manager.stop();
      }
    },
    PATIENCE,
  );
});

test(
  "listening sockets that the manager has opened are used, and their file is left to it",
  async () => {
    const path = join(folder.path, "passed.sock");
    const [one, two] = [streamSocket(AF_UNIX, false), streamSocket(AF_INET, false)];
    const port = await freePort();
    bindSocket(one, unixAddress(path));
    bindSocket(two, inetAddress("127.0.0.1", port).bytes);
    for (const fd of [one, two]) listenSocket(fd, 16);
    const unused = join(folder.path, "unused.sock");
    const options = ["--foreground", "-e", "-q", "--no-check-cf", "-c", clamd.confPath, unused];
    // The manager names the process, which only the process itself can know here.
    const named = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", BINARY, ...options];
    const started = Bun.spawn(boundArgv(named), {
      env: { ...FIXED_ENV, LISTEN_FDS: "2" },
      stdio: ["ignore", "ignore", "pipe", one, two],
      detached: true,
    });
    const errors = gather(started.stderr);
    try {
      await until(() => /accepts mail on/.test(errors.text()), { what: "its start", detail: errors.text });
      expect(existsSync(unused)).toBe(false);
      const samples = [
        { mail: { body: Buffer.from("clean\r\n") }, expected: "accept" },
        { mail: { body: Buffer.from(eicar()) }, expected: "replyCode" },
      ];
      for (const address of [{ unix: path }, { hostname: "127.0.0.1", port }]) {
        const tally = await sendTraffic({ address, connexions: 8, messages: 4, samples });
        expect(tally).toEqual({ right: 32, wrong: [], lost: 0 });
      }
      started.kill("SIGTERM");
      expect(await started.exited).toBe(0);
      expect(existsSync(path)).toBe(true);
      // Still open here, and another program could go on with them.
      expect(errors.text()).toContain("stopped");
    } finally {
      killGroup(started.pid, "SIGKILL");
      for (const fd of [one, two]) closeDescriptor(fd);
    }
  },
  PATIENCE,
);
