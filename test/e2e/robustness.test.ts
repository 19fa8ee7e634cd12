import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FilterAddress, MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { type Sample, sendTraffic } from "../../scripts/load/traffic.ts";
import { startFakeClamd } from "../fakes/clamd.ts";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { eicar } from "../lab/eicar.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { freePort } from "../lab/port.ts";
import { until } from "../lab/wait.ts";

const folder = plainFolder();
const socket = join(folder.path, "milter.sock");
let clamd: Clamd;
let filter: Filter;

beforeAll(async () => {
  clamd = await startClamd({ folder: folder.path, conf: { LogClean: "no" } });
  filter = await startFilter({ conf: clamd.confPath, sockets: [`unix:${socket}`], options: ["-q"] });
});

afterAll(async () => {
  await filter.stop();
  await clamd.stop();
  folder.remove();
});

const headers: readonly [string, string][] = [["Subject", "hello"]];
const SAMPLES: readonly Sample[] = [
  { mail: { headers, body: Buffer.from("small\r\n") }, expected: "accept" },
  { mail: { headers, body: Buffer.alloc(9_000, "medium\r\n") }, expected: "accept" },
  { mail: { headers, body: Buffer.from(eicar()) }, expected: "replyCode" },
  { mail: { headers, body: Buffer.alloc(70_000, "two chunks\r\n") }, expected: "accept" },
  { mail: { headers, body: Buffer.alloc(600_000, "by file\r\n") }, expected: "accept" },
  { mail: { headers, body: new Uint8Array(0) }, expected: "accept" },
];

/** A small generator with a seed, so that a failure can be seen again. */
function randomBytes(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

async function judge(address: FilterAddress): Promise<string> {
  const tally = await sendTraffic({ address, connexions: 1, messages: 2, samples: SAMPLES.slice(1, 3) });
  return JSON.stringify(tally);
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Gone, or only waiting for whoever takes up orphans here to notice. */
function hasEnded(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\)/, ""));
  } catch {
    return true;
  }
}

const ALL_RIGHT = JSON.stringify({ right: 2, wrong: [], lost: 0 });

test("1,000 connexions of garbage cost themselves only", async () => {
  const children = filter.children();
  const bystander = await MtaConnexion.open({ unix: socket });
  await bystander.negotiate();
  await bystander.greet();
  const begins: readonly Uint8Array[] = [
    Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    Buffer.from("EHLO mx.example.net\r\n"),
    Buffer.from([0, 0, 0, 0]),
    Buffer.from([0, 0, 0, 1, 0x43]),
    Buffer.from([0, 0, 0, 13, 0x4f, 0, 0, 0, 6, 0, 0, 1, 0xff, 0, 0x1f, 0xff, 0xff, 0, 0, 0, 2, 0x5a, 0]),
    Buffer.from([0xff, 0xff, 0xff, 0xff]),
    new Uint8Array(0),
  ];
  for (let round = 0; round < 20; round++) {
    const open = Array.from({ length: 50 }, async (_, at) => {
      const mta = await MtaConnexion.open({ unix: socket });
      mta.sendBytes(
        Buffer.concat([begins[at % begins.length] ?? Buffer.alloc(0), randomBytes(round * 50 + at, 300)]),
      );
      return mta;
    });
    const mtas = await Promise.all(open);
    await until(() => mtas.filter((mta) => mta.closed).length > 40, {
      what: "garbage to be cut off",
      deadline: 10_000,
    });
    for (const mta of mtas) mta.close();
  }
  const outcome = await bystander.mail({ headers, body: Buffer.from("still here\r\n") });
  expect(outcome.verdict.kind).toBe("accept");
  bystander.quit();
  expect(filter.children()).toEqual(children);
  expect(await judge({ unix: socket })).toBe(ALL_RIGHT);
  // Ten complaints a minute and child, however many there is reason for.
  const complaints = filter
    .log()
    .split("\n")
    .filter((line) => line.includes("closed: "));
  expect(complaints.length).toBeLessThanOrEqual(20);
  expect(filter.log()).not.toContain("a fault of this program");
});

test("64 connexions at once, a child killed in the middle: every verdict right, the child replaced", async () => {
  const before = filter.children();
  let victim = 0;
  const tally = await sendTraffic({
    address: { unix: socket },
    connexions: 64,
    messages: 40,
    samples: SAMPLES,
    onMessage: (done) => {
      if (done !== 800) return;
      // The kernel shares connexions out as it likes: the one with the most has something to lose.
      victim = filter.children().sort((one, other) => descriptorsOf(other) - descriptorsOf(one))[0] ?? 0;
      process.kill(victim, "SIGKILL");
    },
  });
  expect(tally.wrong).toEqual([]);
  expect(tally.right + tally.lost).toBe(64 * 40);
  // Only what the child held: a message on each of its connexions.
  expect(tally.lost).toBeGreaterThan(0);
  expect(tally.lost).toBeLessThanOrEqual(64);
  await filter.logLine(new RegExp(`child ${victim} was killed by SIGKILL; replaced`));
  const after = await until(() => (filter.children().length === before.length ? filter.children() : false), {
    what: "the child to be replaced",
  });
  expect(after).not.toContain(victim);
});

test("clamd is left with no more sessions than the limit, and they are used again", async () => {
  const sessions = Number(/live (\d+)/.exec(await clamd.ask("nSTATS"))?.[1] ?? 0);
  expect(sessions).toBeLessThanOrEqual(10);
});

describe("several sockets at once", () => {
  test("unix, IPv4 and IPv6", async () => {
    const path = join(folder.path, "several.sock");
    const [four, six] = [await freePort(), await freePort("::1")];
    const several = await startFilter({
      conf: clamd.confPath,
      sockets: [path, `inet:${four}@localhost`, `inet6:${six}@::1`],
      options: ["-q"],
    });
    expect(await judge({ unix: path })).toBe(ALL_RIGHT);
    expect(await judge({ hostname: "127.0.0.1", port: four })).toBe(ALL_RIGHT);
    expect(await judge({ hostname: "::1", port: six })).toBe(ALL_RIGHT);
    expect(await several.stop()).toBe(0);
    expect(existsSync(path)).toBe(false);
  });
});

describe("the end", () => {
  async function slowFilter(
    name: string,
  ): Promise<{ filter: Filter; path: string; streams(): number; stop(): void }> {
    const scanner = join(folder.path, `${name}-clamd.sock`);
    const conf = join(folder.path, `${name}.conf`);
    writeFileSync(conf, `Foreground yes\nLocalSocket ${scanner}\n`);
    const fake = startFakeClamd(scanner, () => ({ say: "stream: OK", after: 1500 }));
    const path = join(folder.path, `${name}.sock`);
    return {
      filter: await startFilter({ conf, sockets: [path], options: ["-q"] }),
      path,
      streams: () => fake.streams,
      stop: fake.stop,
    };
  }

  test("on SIGTERM what is in scanning gets its verdict, idle connexions are closed, nothing is left", async () => {
    const slow = await slowFilter("term");
    const [busy, idle] = [
      await MtaConnexion.open({ unix: slow.path }),
      await MtaConnexion.open({ unix: slow.path }),
    ];
    for (const mta of [busy, idle]) {
      await mta.negotiate();
      await mta.greet();
    }
    const outcome = busy.mail({ headers, body: Buffer.from("in scanning\r\n") });
    await until(() => slow.streams() === 1, { what: "the message to be in scanning" });
    const children = slow.filter.children();
    const stopped = slow.filter.stop();
    expect((await outcome).verdict.kind).toBe("accept");
    expect(await stopped).toBe(0);
    expect(idle.closed).toBe(true);
    expect(existsSync(slow.path)).toBe(false);
    expect(children.filter((pid) => !hasEnded(pid))).toEqual([]);
    slow.stop();
  });

  test("children end with a supervisor that is killed", async () => {
    const slow = await slowFilter("kill");
    const children = slow.filter.children();
    expect(children.length).toBeGreaterThanOrEqual(2);
    slow.filter.signal("SIGKILL");
    await until(() => children.every(hasEnded), {
      what: "the children to end",
      deadline: 2000,
    });
    slow.stop();
  });

  test("an MTA that goes away in the middle leaves nothing behind", async () => {
    const descriptors = (): number => {
      const counts = filter.children().map(descriptorsOf);
      return counts.reduce((sum, count) => sum + count, 0);
    };
    await judge({ unix: socket });
    const before = descriptors();
    for (let at = 0; at < 40; at++) {
      const mta = await MtaConnexion.open({ unix: socket });
      await mta.negotiate();
      await mta.greet();
      const outcome = mta.mail({ headers, body: Buffer.alloc(at * 30_000, "gone\r\n") }).catch(() => "gone");
      if (at % 2 === 0) await Promise.race([outcome, Promise.resolve()]);
      mta.close();
      await outcome;
    }
    await until(() => descriptors() <= before + 2, {
      what: "descriptors to be given back",
      detail: () => `${before}, ${descriptors()}`,
    });
  });
});
