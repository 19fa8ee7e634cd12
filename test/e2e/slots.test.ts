import { afterAll, afterEach, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { type Answer, type FakeClamd, startFakeClamd } from "../fakes/clamd.ts";
import { startClamdProxy } from "../fakes/clamd-proxy.ts";
import { startClamd, writeDirectives } from "../lab/clamd.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { freePort } from "../lab/port.ts";
import { until } from "../lab/wait.ts";

const PATIENCE = 60_000;
const headers: readonly [string, string][] = [["Subject", "x"]];
const OVERLOADED = {
  kind: "replyCode",
  text: "451 4.3.2 AV system temporarily overloaded - please try later",
} as const;
const folder = plainFolder();
/** Ended after each test, last first, whatever became of it. */
const running: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop();
}, PATIENCE);

afterAll(() => folder.remove());

interface Host {
  readonly filter: Filter;
  readonly fake: FakeClamd;
  readonly socket: string;
  readonly conf: string;
}

function writeConf(path: string, scanner: string, more: readonly string[] = []): void {
  const lines = [
    `LocalSocket ${scanner}`,
    "LogVerbose yes",
    `LogFile ${path}.log`,
    "LogFileMaxSize 0",
    ...more,
  ];
  writeFileSync(path, `${lines.join("\n")}\n`);
}

/** The filter in front of a clamd that takes its time. */
async function startHost(
  name: string,
  options: readonly string[],
  answer: (stream: number) => Answer,
): Promise<Host> {
  const scanner = join(folder.path, `${name}-clamd.sock`);
  const conf = join(folder.path, `${name}.conf`);
  const socket = join(folder.path, `${name}.sock`);
  const fake = startFakeClamd(scanner, answer);
  running.push(() => fake.stop());
  writeConf(conf, scanner);
  const filter = await startFilter({ conf, sockets: [socket], options: ["-q", ...options] });
  running.push(() => filter.stop());
  return { filter, fake, socket, conf };
}

/** What the filter has logged: standard error loses lines when it is not read fast enough, a file does not. */
function logOf({ conf }: Pick<Host, "conf">): string {
  return readFileSync(`${conf}.log`, "utf8");
}

async function greeted(socket: string, address = "203.0.113.7"): Promise<MtaConnexion> {
  const mta = await MtaConnexion.open({ unix: socket });
  running.push(() => mta.close());
  await mta.negotiate();
  await mta.greet({ address });
  return mta;
}

function manyGreeted(socket: string, count: number): Promise<MtaConnexion[]> {
  return Promise.all(Array.from({ length: count }, () => greeted(socket)));
}

/** The verdict on a message, and the milliseconds it took. */
async function carried(mta: MtaConnexion): Promise<{ kind: string; took: number }> {
  const begun = performance.now();
  const { verdict } = await mta.mail({ headers });
  return { kind: verdict.kind, took: performance.now() - begun };
}

function isBusy(fake: FakeClamd): Promise<true> {
  return until(() => fake.scanning > 0 || undefined, { what: "a message in scanning" }).then(() => true);
}

test(
  "-m 2 and 20 messages at once: two in scanning, never more, and all get their verdict",
  async () => {
    const { fake, socket } = await startHost("two", ["-m", "2"], () => ({ say: "stream: OK", after: 60 }));
    const mtas = await manyGreeted(socket, 20);
    const outcomes = await Promise.all(mtas.map(carried));
    expect(outcomes.map(({ kind }) => kind)).toEqual(Array(20).fill("accept"));
    expect([fake.most, fake.streams]).toEqual([2, 20]);
    expect(Math.max(...outcomes.map(({ took }) => took))).toBeGreaterThan(9 * 60);
  },
  PATIENCE,
);

test(
  "the same with a real clamd: it never has more than two to scan",
  async () => {
    const clamd = await startClamd({
      folder: folder.path,
      localSocket: false,
      tcp: true,
      conf: { MaxThreads: "20" },
    });
    running.push(() => clamd.stop());
    const target = { hostname: clamd.tcpAddr, port: clamd.tcpPort };
    const proxy = startClamdProxy({ hostname: "127.0.0.1", port: await freePort(), target });
    running.push(() => proxy.stop());
    const conf = join(folder.path, "real.conf");
    const socket = join(folder.path, "real.sock");
    writeDirectives(conf, { TCPSocket: String(proxy.port), TCPAddr: "127.0.0.1" });
    const filter = await startFilter({ conf, sockets: [socket], options: ["-q", "-m2"] });
    running.push(() => filter.stop());
    const mtas = await manyGreeted(socket, 20);
    // Markup keeps it busy for longer than plain text.
    const body = Buffer.alloc(1_000_000, '<a href="http://example.org/">x</a>\r\n');
    const outcomes = mtas.map((mta) =>
      mta.mail({ headers: [["Content-Type", "text/html"]], body }).then(({ verdict }) => verdict.kind),
    );
    expect(await Promise.all(outcomes)).toEqual(Array(20).fill("accept"));
    expect(proxy.mostScanning).toBe(2);
  },
  PATIENCE,
);

test(
  "without -m it is MaxThreads; HUP with another MaxThreads counts at once",
  async () => {
    const host = await startHost("hup", [], () => ({ say: "stream: OK", after: 150 }));
    const scanner = join(folder.path, "hup-clamd.sock");
    const renew = async (threads: number): Promise<void> => {
      const before = host.filter.log().split("read again").length;
      writeConf(host.conf, scanner, [`MaxThreads ${threads}`]);
      host.filter.signal("SIGHUP");
      await until(() => host.filter.log().split("read again").length > before, { what: "HUP" });
    };
    const mtas = await manyGreeted(host.socket, 12);
    await renew(1);
    const first = Promise.all(mtas.map(carried));
    await until(() => host.fake.streams === 3, { what: "three messages one after another" });
    expect(host.fake.most).toBe(1);
    // What waits already is served by it.
    await renew(4);
    await first;
    expect(host.fake.most).toBe(4);
    await renew(2);
    const second = Promise.all(mtas.map(carried));
    await until(() => host.fake.scanning === 2, { what: "two in scanning" });
    for (let look = 0; look < 20; look++) {
      expect(host.fake.scanning).toBeLessThanOrEqual(2);
      await Bun.sleep(20);
    }
    expect(new Set((await second).map(({ kind }) => kind))).toEqual(new Set(["accept"]));
  },
  PATIENCE,
);

test(
  "--timeout runs out: the message goes on, over the limit, and the log says so",
  async () => {
    const host = await startHost("over", ["-m1", "-T1"], () => ({ say: "stream: OK", after: 4000 }));
    const [first, second, third] = await manyGreeted(host.socket, 3);
    if (first === undefined || second === undefined || third === undefined) throw new Error("no connexion");
    const running = carried(first);
    await isBusy(host.fake);
    const waiting = [carried(second), carried(third)];
    await until(() => host.fake.scanning === 3, { what: "all three in scanning", deadline: 3500 });
    expect((await Promise.all([running, ...waiting])).map(({ kind }) => kind)).toEqual(
      Array(3).fill("accept"),
    );
    expect(logOf(host)).toMatch(/4AMtest0001: scanned over --max-children: has waited [12] s for a place/);
    expect(logOf(host)).toMatch(/have waited .* scanned over --max-children=1$/m);
  },
  PATIENCE,
);

test(
  "--dont-wait: 451 at MAIL at once, at the end of a message that had begun before, and only while it is full",
  async () => {
    const host = await startHost("full", ["-m1", "--dont-wait", "-o"], () => ({
      say: "stream: OK",
      after: 1500,
    }));
    const [first, begun, second] = await manyGreeted(host.socket, 3);
    if (first === undefined || begun === undefined || second === undefined) throw new Error("no connexion");
    await begun.say({ kind: "mail", sender: "<early@example.net>", parameters: [] });
    await begun.say({ kind: "rcpt", recipient: "<b@example.org>", parameters: [] });
    await begun.say({ kind: "data" });
    await begun.say({ kind: "endOfHeaders" });
    const running = carried(first);
    await isBusy(host.fake);
    const asked = performance.now();
    expect((await begun.endOfBody("4AMbegun001")).verdict).toEqual(OVERLOADED);
    const sender = "<late@example.net>";
    expect(await second.mail({ sender, headers })).toMatchObject({ stage: "mail", verdict: OVERLOADED });
    expect(performance.now() - asked).toBeLessThan(1000);
    // Mail of this machine is refused at its end.
    const own = await greeted(host.socket, "127.0.0.1");
    expect(await own.mail({ headers })).toMatchObject({ stage: "endOfBody", verdict: OVERLOADED });
    expect((await running).kind).toBe("accept");
    const taken = async (): Promise<boolean> => (await carried(second)).kind === "accept";
    await until(taken, { what: "the place that has come free", deadline: 3000 });
    expect(host.fake.most).toBe(1);
    const lines = logOf(host)
      .split("\n")
      .filter((line) => line.includes("no free place"));
    expect(lines.slice(0, 3).map((line) => /from=(\S+)/.exec(line)?.[1])).toEqual([
      "<early@example.net>",
      "<late@example.net>",
      "<sender@example.net>",
    ]);
  },
  PATIENCE,
);

test(
  "50 clients that stand still after MAIL do not keep the 51st waiting",
  async () => {
    const { socket } = await startHost("stalled", ["-m1"], () => ({ say: "stream: OK" }));
    const stalled = await manyGreeted(socket, 50);
    for (const mta of stalled) {
      await mta.say({ kind: "mail", sender: "<slow@example.net>", parameters: [] });
      await mta.say({ kind: "rcpt", recipient: "<b@example.org>", parameters: [] });
      await mta.say({ kind: "data" });
      await mta.say({ kind: "body", bytes: Buffer.from("and then\r\n") });
    }
    const { kind, took } = await carried(await greeted(socket));
    expect(kind).toBe("accept");
    expect(took).toBeLessThan(1000);
  },
  PATIENCE,
);

/** Connexions by the child that has them, one on each at least. */
async function onEach(host: Host): Promise<Map<number, MtaConnexion>> {
  const children = host.filter
    .children()
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("@child"));
  const found = new Map<number, MtaConnexion>();
  const known = new Set<string>();
  while (children.some((pid) => !found.has(pid))) {
    const mta = await greeted(host.socket);
    const begin = await until(
      () => [...logOf(host).matchAll(/mta (\d+)\.\d+ </g)].find((match) => !known.has(match[0])),
      { what: "the trace of a connexion" },
    );
    known.add(begin[0]);
    found.set(Number(begin[1]), mta);
  }
  return found;
}

test(
  "a child that is killed while it holds the only place: another has it",
  async () => {
    const host = await startHost("killed", ["-m1", "-x9"], (stream) =>
      stream === 1 ? { silence: true } : { say: "stream: OK", after: 100 },
    );
    const [[victim, holder], [, other]] = [...(await onEach(host))] as [
      [number, MtaConnexion],
      [number, MtaConnexion],
    ];
    const lost = carried(holder).catch(() => "lost");
    await isBusy(host.fake);
    const waiting = carried(other);
    await until(() => logOf(host).match(/ < end of message:/g)?.length === 2, { what: "a second message" });
    await Bun.sleep(300);
    expect(host.fake.streams).toBe(1);
    process.kill(victim, "SIGKILL");
    const { kind, took } = await waiting;
    expect([await lost, kind]).toEqual(["lost", "accept"]);
    expect(took).toBeLessThan(5000);
    // There is one place, not more, in the children that live now.
    const mtas = await manyGreeted(host.socket, 8);
    const before = host.fake.scanning;
    let most = 0;
    const done = Promise.all(mtas.map(carried));
    const watch = setInterval(() => {
      most = Math.max(most, host.fake.scanning - before);
    }, 5);
    expect((await done).map((outcome) => outcome.kind)).toEqual(Array(8).fill("accept"));
    clearInterval(watch);
    expect(most).toBe(1);
  },
  PATIENCE,
);
