import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import type { FilterReply } from "../../src/milter/mta-codec.ts";
import { type Clamd, startClamd, writeDirectives } from "../lab/clamd.ts";
import { eicar } from "../lab/eicar.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { until } from "../lab/wait.ts";
import { judge } from "./policy-mta.ts";

let folder: LabFolder;
let clamd: Clamd;
let filter: Filter;
let sockets = 0;
let socket = { unix: "" };

beforeAll(async () => {
  folder = plainFolder();
  clamd = await startClamd({ folder: folder.path });
});

afterEach(() => filter.stop());

afterAll(async () => {
  await clamd.stop();
  folder.remove();
});

async function start(...options: string[]): Promise<void> {
  socket = { unix: join(folder.path, `milter${++sockets}.sock`) };
  const common = { conf: clamd.confPath, sockets: [`unix:${socket.unix}`] };
  filter = await startFilter({ ...common, options: ["-q", ...options] });
}

/** Process ids of the milter children. */
function children(): number[] {
  return filter.children().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("@child");
    } catch {
      return false;
    }
  });
}

/** A connexion on which a client of that address has been greeted. */
async function greeted(address: string): Promise<MtaConnexion> {
  const mta = await MtaConnexion.open(socket);
  await mta.negotiate();
  await mta.greet({ address, family: address.includes(":") ? "inet6" : "inet" });
  return mta;
}

async function tryMail(mta: MtaConnexion): Promise<FilterReply> {
  const answer = await mta.say({ kind: "mail", sender: "<a@b.example>", parameters: [] });
  mta.send({ kind: "abort" });
  return answer;
}

async function offend(address: string): Promise<void> {
  const family = address.includes(":") ? "inet6" : "inet";
  const { answer } = await judge(socket, { family, address, body: eicar() });
  expect(answer).toStartWith("554 5.7.1 virus ");
}

/** Waits until so many connexions in a row get the same answer to MAIL: both children are met then. */
async function all(address: string, kind: string): Promise<void> {
  let alike = 0;
  await until(
    async () => {
      const mta = await greeted(address);
      alike = (await tryMail(mta)).kind === kind ? alike + 1 : 0;
      mta.quit();
      return alike >= 12;
    },
    { what: `${kind} for ${address} everywhere`, detail: filter.log },
  );
}

/** Connexions of both children, on which nothing has been said but the greeting; needs `-x 4`. */
async function heldByBoth(address: string): Promise<readonly MtaConnexion[]> {
  const begun = filter.log().length;
  const held: MtaConnexion[] = [];
  const processes = (): number =>
    new Set(
      filter
        .log()
        .slice(begun)
        .match(/mta \d+\./g),
    ).size;
  while (held.length < 4 || (processes() < 2 && held.length < 200)) held.push(await greeted(address));
  await until(() => processes() >= 2, { what: "connexions of both children", detail: filter.log });
  return held;
}

/** Milliseconds from now until each connexion is answered so. */
function delays(held: readonly MtaConnexion[], kind: FilterReply["kind"]): Promise<number[]> {
  const from = performance.now();
  const measure = async (mta: MtaConnexion): Promise<number> => {
    await until(async () => (await tryMail(mta)).kind === kind, { what: kind, detail: filter.log });
    return performance.now() - from;
  };
  return Promise.all(held.map(measure));
}

test("every child knows within 50 ms", async () => {
  await start("-k", "600", "-x", "4");
  const slowest: number[] = [];
  // Others may need the processors at that moment: one of some attempts shows what the program needs.
  for (let host = 1; host <= 8 && !slowest.some((delay) => delay < 50); host++) {
    const held = await heldByBoth(`192.0.2.${host}`);
    await offend(`192.0.2.${host}`);
    slowest.push(Math.max(...(await delays(held, "replyCode"))));
    for (const mta of held) mta.quit();
  }
  console.log(`blacklist: known to both children after ${slowest.map(Math.round).join(", ")} ms`);
  expect(Math.min(...slowest)).toBeLessThan(50);
}, 30_000);

test("an entry ends on time, whatever the host tries; it is told in one line", async () => {
  await start("-k", "2", "-x", "4");
  const address = "192.0.2.7";
  const held = await heldByBoth(address);
  await offend(address);
  await delays(held, "replyCode");
  const text = `550 5.7.1 Your IP (${address}) is blacklisted because your machine is infected with a virus`;
  for (const mta of held) expect(await tryMail(mta)).toEqual({ kind: "replyCode", text });
  const ends = await delays(held, "continue");
  expect(Math.min(...ends)).toBeGreaterThan(1500);
  expect(Math.max(...ends)).toBeLessThan(5000);
  for (const mta of held) mta.quit();
  const because = "because of Eicar-Test-Signature.UNOFFICIAL";
  await filter.logLine(new RegExp(`: Will blacklist ${address} for 2 seconds ${because}$`));
  expect(filter.log().match(/Will blacklist/g)).toHaveLength(1);
  const client = "client=mx.example.net[192.0.2.7]";
  expect(filter.log()).toContain(
    `: NOQUEUE: Rejected email from blacklisted IP ${address} from=<a@b.example> ${client}\n`,
  );
}, 30_000);

test("IPv6, too; who is exempt is never listed: -K, the LAN, -I, this machine", async () => {
  await start(
    "-k",
    "600",
    "-l",
    "-o",
    "-I",
    "100.64.0.0/10",
    "-K",
    "192.0.2.1,2001:db8::1",
    "-K",
    "192.0.2.8,2001:DB8::8",
  );
  for (const exempt of [
    "192.0.2.8",
    "::ffff:192.0.2.8",
    "2001:db8::8",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "::1",
  ]) {
    await offend(exempt);
    await offend(exempt);
  }
  await offend("2001:db8::77");
  await all("2001:db8::77", "replyCode");
  await all("IPv6:2001:0DB8:0::77", "replyCode");
  await offend("::ffff:198.51.100.1");
  await all("198.51.100.1", "replyCode");
  // The last -K counts, as for other options.
  await offend("192.0.2.1");
  await all("192.0.2.1", "replyCode");
  for (const exempt of ["192.0.2.8", "10.0.0.1"]) await offend(exempt);
  const log = filter.log();
  expect(log.match(/Won't blacklist (192\.0\.2\.8|2001:db8::8)$/gm)).toHaveLength(2);
  expect(log.match(/Will blacklist \S+/g)).toEqual([
    "Will blacklist 2001:db8::77",
    "Will blacklist 198.51.100.1",
    "Will blacklist 192.0.2.1",
  ]);
}, 30_000);

test("a suspicious recipient lists the host; a discarded virus (-N) does; -f changes nothing", async () => {
  await start("-k", "600", "-f", "-N");
  const { answer } = await judge(socket, {
    family: "inet",
    address: "192.0.2.9",
    recipients: ["<|x@example.org>"],
  });
  expect(answer).toBe("554 5.7.1 Suspicious recipient address blocked");
  await all("192.0.2.9", "replyCode");
  await filter.logLine(/Will blacklist 192\.0\.2\.9 for 600 seconds because of cracking attempt$/);
  const infected = await judge(socket, { family: "inet", address: "192.0.2.10", body: eicar() });
  expect(infected.answer).toBe("discard");
  await all("192.0.2.10", "replyCode");
}, 30_000);

test("a limit of the scanner's is no infection", async () => {
  const conf = { AlertExceedsMax: "yes", MaxFileSize: "2000" };
  const strict = await startClamd({ folder: folder.path, name: "strict", conf });
  try {
    // The filter does not know that limit, so that the scanner has to tell.
    const unaware = join(folder.path, "unaware.conf");
    writeDirectives(unaware, { LocalSocket: strict.socketPath });
    socket = { unix: join(folder.path, `milter${++sockets}.sock`) };
    const listening = [`unix:${socket.unix}`];
    filter = await startFilter({ conf: unaware, sockets: listening, options: ["-q", "-k", "600"] });
    const long = { family: "inet", address: "192.0.2.11", body: "text\r\n".repeat(1000) } as const;
    expect((await judge(socket, long)).answer).toBe("scanned");
    await filter.logLine(/not scanned reason="Heuristics\.Limits\.Exceeded/);
    await all("192.0.2.11", "continue");
    expect(filter.log()).not.toContain("Will blacklist");
  } finally {
    await strict.stop();
  }
}, 30_000);

test("entries survive the death of a child, some portions of them", async () => {
  await start("-k", "600");
  const addresses = Array.from({ length: 4500 }, (_, at) => `198.18.${at >> 8}.${at & 255}`);
  const mta = await MtaConnexion.open(socket);
  await mta.negotiate();
  for (const address of addresses) {
    await mta.greet({ address });
    await mta.say({ kind: "mail", sender: "<a@b.example>", parameters: [] });
    await mta.say({ kind: "rcpt", recipient: "<a;b@example.org>", parameters: [] });
    mta.send({ kind: "quitNewConnexion" });
  }
  mta.quit();
  await all(addresses.at(-1) ?? "", "replyCode");
  const before = children();
  for (const pid of before) process.kill(pid, "SIGKILL");
  await until(() => children().filter((pid) => !before.includes(pid)).length === before.length, {
    what: "new children",
    detail: filter.log,
  });
  let refused = 0;
  for (const address of addresses.filter((_, at) => at % 50 === 0)) {
    const again = await greeted(address);
    if ((await tryMail(again)).kind === "replyCode") refused++;
    again.quit();
  }
  expect(refused).toBe(90);
}, 60_000);
