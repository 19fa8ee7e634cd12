import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MtaMail } from "../../scripts/load/mta-connexion.ts";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { sendTraffic } from "../../scripts/load/traffic.ts";
import { startClamdProxy } from "../fakes/clamd-proxy.ts";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { writeDatabase } from "../lab/database.ts";
import { eicar } from "../lab/eicar.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { freePort } from "../lab/port.ts";
import { until } from "../lab/wait.ts";

const ADDRESSES = ["127.0.0.1", "127.0.0.2", "127.0.0.3"] as const;
const folder = plainFolder();
const clamds: Clamd[] = [];
let port = 0;
const open: { stop(): unknown }[] = [];

beforeAll(async () => {
  port = await freePort(...ADDRESSES);
  const start = (addr: string, at: number) =>
    startClamd({ folder: folder.path, name: `clamd${at}`, localSocket: false, tcp: { addr, port } });
  clamds.push(...(await Promise.all(ADDRESSES.map(start))));
}, 60_000);

afterAll(async () => {
  for (const each of open.reverse()) await each.stop();
  await Promise.all(clamds.map((clamd) => clamd.stop()));
  folder.remove();
}, 60_000);

/** A clamd.conf of the filter's. */
function conf(name: string, ...lines: readonly string[]): string {
  const path = join(folder.path, `${name}.conf`);
  writeFileSync(path, `${[...lines, "MaxThreads 10", "LogFileMaxSize 0"].join("\n")}\n`);
  return path;
}

async function started(name: string, lines: readonly string[], options: readonly string[]) {
  const socket = join(folder.path, `${name}.sock`);
  const filter: Filter = await startFilter({
    conf: conf(name, ...lines),
    sockets: [socket],
    options: ["-q", "-n", ...options],
  });
  open.push(filter);
  return { filter, socket };
}

function mailOf(body: string): MtaMail {
  return { headers: [["Subject", "x"]], body: Buffer.from(`${crypto.randomUUID()}\r\n${body}\r\n`) };
}

/** Hands over one message; the verdict's kind and the milliseconds that it took. */
async function timed(mta: MtaConnexion, mail: MtaMail): Promise<{ kind: string; took: number }> {
  const begin = performance.now();
  const { verdict } = await mta.mail(mail);
  return { kind: verdict.kind, took: performance.now() - begin };
}

async function greeted(socket: string): Promise<MtaConnexion> {
  const mta = await MtaConnexion.open({ unix: socket });
  await mta.negotiate();
  await mta.greet();
  return mta;
}

/** The lab's database, and so many signatures besides that loading it takes a while. */
function largeDatabase(path: string): string {
  writeDatabase(path);
  const lines = Array.from({ length: 300_000 }, (_, at) => {
    const digest = createHash("md5").update(String(at)).digest("hex");
    return `${digest}:${1000 + (at % 5000)}:Lab.Filler-${at}\n`;
  });
  writeFileSync(join(path, "filler.hdb"), lines.join(""));
  return path;
}

/** One fault at a time, each of its kind on each server in turn. */
const FAULTS: readonly ((clamd: Clamd) => Promise<void>)[] = [
  async (clamd) => {
    clamd.kill("SIGKILL");
    await until(() => !clamd.running(), { what: "clamd to be gone" });
    await clamd.restart();
  },
  async (clamd) => {
    clamd.kill("SIGSTOP");
    await Bun.sleep(8_000);
    clamd.kill("SIGCONT");
    await until(async () => (await clamd.ask("PING")).includes("PONG"), { what: "clamd to answer" });
  },
  (clamd) => clamd.restart(),
];

test("5,000 messages while servers are killed, stopped and restarted: every verdict is right, none waits", async () => {
  const list = ADDRESSES.join(":");
  const { filter, socket } = await started("faults", [`TCPSocket ${port}`], ["-s", list]);
  const takes: number[] = [];
  const wrong: string[] = [];
  let over = false;
  const run = async (number: number): Promise<void> => {
    const mta = await greeted(socket);
    for (let at = 0; at < 160 || !over; at++) {
      const infected = (at + number) % 10 === 0;
      const { kind, took } = await timed(mta, mailOf(infected ? eicar() : "hello"));
      takes.push(took);
      if (kind !== (infected ? "replyCode" : "accept")) wrong.push(`message ${number}.${at}: ${kind}`);
      // The faults go on for longer than the messages need.
      await Bun.sleep(20);
    }
    mta.quit();
  };
  const traffic = Promise.all(Array.from({ length: 32 }, (_, number) => run(number)));
  for (const fault of FAULTS) for (const clamd of clamds) await fault(clamd);
  over = true;
  await traffic;
  expect(wrong).toEqual([]);
  expect(takes.length).toBeGreaterThanOrEqual(5_000);
  const worst = Math.max(...takes);
  console.log(`${takes.length} messages through 9 faults, the slowest ${Math.round(worst)} ms`);
  expect(worst).toBeLessThan(20_000);
  expect(filter.log()).not.toMatch(/tempfailed|fault of this program/);
  await filter.stop();
}, 120_000);

test("a RELOAD that makes one of two silent: no failure, and mail goes there again", async () => {
  const addresses = ADDRESSES.slice(0, 2);
  const reloading = await freePort(...addresses);
  const pair = await Promise.all(
    addresses.map((addr, at) =>
      startClamd({
        folder: folder.path,
        name: `reload${at}`,
        localSocket: false,
        tcp: { addr, port: reloading },
        // It waits for its threads to be idle, misses the last one's word, and so is silent for IdleTimeout (1.4.6).
        conf: { ConcurrentDatabaseReload: "no", MaxThreads: "4", IdleTimeout: "2" },
        database: largeDatabase(join(folder.path, `reload${at}-db`)),
      }),
    ),
  );
  open.push(...pair);
  const { filter, socket } = await started("reload", [`TCPSocket ${reloading}`], ["-s", addresses.join(":")]);
  const samples = [
    { mail: mailOf("clean"), expected: "accept" },
    { mail: mailOf(eicar()), expected: "replyCode" },
  ];
  let over = false;
  const address = { unix: socket };
  const traffic = (async () => {
    const all = { right: 0, wrong: [] as string[], lost: 0 };
    while (!over) {
      const { right, wrong, lost } = await sendTraffic({ address, connexions: 8, messages: 50, samples });
      all.right += right;
      all.wrong.push(...wrong);
      all.lost += lost;
    }
    return all;
  })();
  pair[0]?.kill("SIGUSR2");
  await until(() => reloadsOf(pair[0]) > 0, { what: "the reload", deadline: 70_000 });
  over = true;
  const tally = await traffic;
  expect([tally.wrong, tally.lost]).toEqual([[], 0]);
  expect(tally.right).toBeGreaterThan(100);
  expect(filter.log()).not.toMatch(/tempfailed/);
  const before = scansIn(pair[0]);
  const used = async (): Promise<boolean> => {
    await sendTraffic({ address, connexions: 8, messages: 10, samples });
    return scansIn(pair[0]) > before + 2;
  };
  await until(used, { what: "the server to be used again" });
  await filter.stop();
}, 110_000);

function reloadsOf(clamd: Clamd | undefined): number {
  return clamd?.log().match(/Database correctly reloaded/g)?.length ?? 0;
}

/** Streams that a clamd has logged. */
function scansIn(clamd: Clamd | undefined): number {
  return clamd?.log().match(/instream\(/g)?.length ?? 0;
}

test("10,000 messages over a few sessions, and of two servers the slower one gets less", async () => {
  const slowPort = await freePort(...ADDRESSES);
  const proxies = ADDRESSES.slice(0, 2).map((hostname, at) =>
    startClamdProxy({
      hostname,
      port: slowPort,
      target: { hostname, port },
      delay: at === 0 ? 0 : 30,
    }),
  );
  open.push(...proxies);
  const { filter, socket } = await started(
    "shares",
    [`TCPSocket ${slowPort}`],
    ["-s", ADDRESSES.slice(0, 2).join(":")],
  );
  const before = clamds.map(scansIn);
  const samples = [{ mail: mailOf("clean"), expected: "accept" }];
  const tally = await sendTraffic({ address: { unix: socket }, connexions: 16, messages: 625, samples });
  expect([tally.wrong, tally.lost, tally.right]).toEqual([[], 0, 10_000]);
  const scans = clamds.map((clamd, at) => scansIn(clamd) - (before[at] ?? 0));
  const opened = proxies.map((proxy) => proxy.opened);
  console.log(`scans by server: ${scans.slice(0, 2)}; connexions: ${opened}`);
  expect(scans[0]).toBeGreaterThan(1.5 * (scans[1] ?? 0));
  expect(scans[1]).toBeGreaterThan(0);
  // 16 messages at once at most, and the keeper's own watch.
  for (const count of opened) expect(count).toBeLessThanOrEqual(20);
  await filter.stop();
  await until(() => proxies.every((proxy) => proxy.open === 0), { what: "all sessions to end" });
}, 60_000);
