import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MtaConnexion, type MtaOutcome } from "../../scripts/load/mta-connexion.ts";
import { type Answer, type FakeClamd, startFakeClamd } from "../fakes/clamd.ts";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { eicar } from "../lab/eicar.ts";
import { type Filter, type FilterOptions, startFilter } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { hang } from "../lab/hang.ts";
import { until } from "../lab/wait.ts";

const PATIENCE = 60_000;
const headers: readonly [string, string][] = [["Subject", "x"]];
const folder = plainFolder();
let clamd: Clamd;
/** All that were started: a test that fails leaves its own behind. */
const filters: Filter[] = [];

async function started(plan: FilterOptions): Promise<Filter> {
  const filter = await startFilter(plan);
  filters.push(filter);
  return filter;
}

beforeAll(async () => {
  clamd = await startClamd({ folder: folder.path, conf: { MaxThreads: "20" } });
}, PATIENCE);

afterAll(async () => {
  await Promise.all(filters.map((filter) => filter.stop()));
  await clamd.stop();
  folder.remove();
});

interface Slow {
  readonly filter: Filter;
  readonly fake: FakeClamd;
  readonly socket: string;
}

/** A filter that talks to a clamd which takes its time. */
async function startSlow(name: string, answer: (stream: number) => Answer): Promise<Slow> {
  const scanner = join(folder.path, `${name}-clamd.sock`);
  const fake = startFakeClamd(scanner, answer);
  const socket = join(folder.path, `${name}.sock`);
  return { filter: await started(order(name, scanner, socket)), fake, socket };
}

function order(name: string, scanner: string, socket: string) {
  const conf = join(folder.path, `${name}.conf`);
  const lines = [`LocalSocket ${scanner}`, "MaxThreads 20", `LogFile ${traceFile(name)}`, "LogFileMaxSize 0"];
  writeFileSync(conf, `${lines.join("\n")}\n`);
  return { conf, sockets: [socket], options: ["-q", "-x9", "-i", join(folder.path, `${name}.pid`)] };
}

async function greeted(socket: string): Promise<MtaConnexion> {
  const mta = await MtaConnexion.open({ unix: socket });
  await mta.negotiate();
  await mta.greet();
  return mta;
}

function manyGreeted(socket: string, count: number): Promise<MtaConnexion[]> {
  return Promise.all(Array.from({ length: count }, () => greeted(socket)));
}

/** Where the trace is read: standard error loses lines when it is not read fast enough, a file does not. */
function traceFile(name: string): string {
  return join(folder.path, `${name}.log`);
}

function traceOf(name: string): string {
  return readFileSync(traceFile(name), "utf8");
}

/** How many messages the filter has been told the end of. */
function endsHeard(name: string): number {
  return traceOf(name).match(/ < end of message:/g)?.length ?? 0;
}

function hasEnded(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\)/, ""));
  } catch {
    return true;
  }
}

function roleOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, "latin1");
}

function childrenOf(filter: Filter): number[] {
  return filter.children().filter((pid) => roleOf(pid).includes("@child"));
}

test(
  "TERM with 32 messages in scanning: each gets its verdict, and nothing is left",
  async () => {
    const { filter, fake, socket } = await startSlow("term", () => ({ say: "stream: OK", after: 700 }));
    const mtas = await manyGreeted(socket, 32);
    const bodies = [Buffer.from("short\r\n"), Buffer.alloc(300_000, "long\r\n")];
    const outcomes = mtas.map((mta, at) => mta.mail({ headers, body: bodies[at % 2] ?? Buffer.alloc(0) }));
    const inData = await greeted(socket);
    await halfway(inData);
    const idle = await greeted(socket);
    await until(() => endsHeard("term") === 32, { what: "32 ends of messages" });
    const roles = filter.children();
    const begun = performance.now();
    const exited = filter.stop();
    const verdicts = (await Promise.all(outcomes)).map((outcome) => outcome.verdict.kind);
    expect(verdicts).toEqual(Array(32).fill("accept"));
    expect(fake.streams).toBe(32);
    expect(await exited).toBe(0);
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect([inData.closed, idle.closed]).toEqual([true, true]);
    expect(roles.length).toBeGreaterThanOrEqual(3);
    expect(roles.filter((pid) => !hasEnded(pid))).toEqual([]);
    expect(readdirSync(folder.path).filter((name) => /^term\.(sock|pid)/.test(name))).toEqual([]);
    fake.stop();
  },
  PATIENCE,
);

test(
  "the supervisor killed under load: every role ends within 2 s, and the next start works",
  async () => {
    const { filter, fake, socket } = await startSlow("kill", () => ({ silence: true }));
    const mtas = await manyGreeted(socket, 16);
    const outcomes = mtas.map((mta) => mta.mail({ headers }).then(outcomeKind, () => "lost"));
    await until(() => endsHeard("kill") === 16, { what: "16 ends of messages" });
    const roles = filter.children();
    expect(roles.length).toBeGreaterThanOrEqual(3);
    // One that does nothing any more ends as well.
    process.kill(roles[0] ?? 0, "SIGSTOP");
    filter.signal("SIGKILL");
    await until(() => roles.every(hasEnded), { what: "every role to end", deadline: 2000 });
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(["lost"]));
    fake.stop();
    const again = await started(order("kill", clamd.socketPath, socket));
    const mta = await greeted(socket);
    expect((await mta.mail({ headers, body: Buffer.from(eicar()) })).verdict.kind).toBe("replyCode");
    mta.quit();
    expect(await again.stop()).toBe(0);
    expect(existsSync(socket)).toBe(false);
  },
  PATIENCE,
);

function outcomeKind({ verdict }: MtaOutcome): string {
  return verdict.kind;
}

/** A message that stands in the middle of its DATA until it is told to go on. */
async function halfway(mta: MtaConnexion): Promise<(rest: string) => Promise<MtaOutcome>> {
  await mta.say({ kind: "mail", sender: "<a@example.net>", parameters: [] });
  await mta.say({ kind: "rcpt", recipient: "<b@example.org>", parameters: [] });
  await mta.say({ kind: "data" });
  await mta.say({ kind: "header", name: "Subject", value: "x" });
  await mta.say({ kind: "endOfHeaders" });
  await mta.say({ kind: "body", bytes: Buffer.alloc(20_000, "half\r\n") });
  return async (rest) => {
    await mta.say({ kind: "body", bytes: Buffer.from(rest) });
    return mta.endOfBody("4AMhalf0001");
  };
}

test(
  "HUP 50 times, with messages in DATA and at their end: none dropped, every verdict right",
  async () => {
    const socket = join(folder.path, "hup.sock");
    const plan = order("hup", clamd.socketPath, socket);
    const scanners = [clamd.socketPath, join(folder.path, "other.sock")];
    const fake = startFakeClamd(scanners[1] ?? "", () => ({ say: "stream: Other FOUND", after: 100 }));
    const filter = await started({ ...plan, options: ["-q"] });
    const mtas = await manyGreeted(socket, 12);
    const roles = filter.children();
    const reread = (): number => filter.log().match(/the settings were read again/g)?.length ?? 0;
    let over = false;
    const wrong: string[] = [];
    let done = 0;
    let cleanRejected = 0;
    const run = async (mta: MtaConnexion, number: number): Promise<void> => {
      while (!over) {
        const infected = (number + done) % 2 === 0;
        const goOn = await halfway(mta);
        // Half of them wait in DATA for the next HUP, the others are in scanning when it comes.
        const before = reread();
        if (number % 2 === 0) await until(() => over || reread() > before, { what: "a HUP" });
        const { verdict } = await goOn(infected ? eicar() : "\r\nclean\r\n");
        if (verdict.kind !== "accept" && verdict.kind !== "replyCode") wrong.push(verdict.kind);
        else if (infected && verdict.kind !== "replyCode") wrong.push(`infected: ${verdict.kind}`);
        else if (!infected && verdict.kind === "replyCode") cleanRejected++;
        done++;
      }
    };
    const runs = mtas.map(run);
    for (let at = 1; at <= 50; at++) {
      // Every fifth time the scanner is another, and the next time it is the old one again.
      order("hup", scanners[at % 5 === 0 ? 1 : 0] ?? "", socket);
      filter.signal("SIGHUP");
      await until(() => reread() >= at, { what: `HUP ${at}`, detail: filter.log });
    }
    over = true;
    await Promise.all(runs);
    expect(wrong).toEqual([]);
    expect(done).toBeGreaterThan(50);
    expect(mtas.filter((mta) => mta.closed)).toEqual([]);
    expect(filter.children()).toEqual(roles);
    expect(fake.streams).toBeGreaterThan(0);
    // Whatever is sent to the other scanner is infected by its word.
    expect(cleanRejected).toBeLessThanOrEqual(fake.streams);
    for (const mta of mtas) mta.quit();
    expect(await filter.stop()).toBe(0);
    fake.stop();
  },
  PATIENCE,
);

/** Connexions by the child that has them: at least `each` on every one. */
async function spread(
  filter: Filter,
  name: string,
  socket: string,
  each: number,
): Promise<Map<number, MtaConnexion[]>> {
  const children = childrenOf(filter);
  const found = new Map(children.map((pid) => [pid, [] as MtaConnexion[]]));
  const known = new Set<string>();
  while ([...found.values()].some((mtas) => mtas.length < each)) {
    const mta = await greeted(socket);
    const begin = await until(
      () => [...traceOf(name).matchAll(/mta (\d+)\.\d+ </g)].find((match) => !known.has(match[0])),
      { what: "the trace of a connexion" },
    );
    known.add(begin[0]);
    found.get(Number(begin[1]))?.push(mta);
  }
  return found;
}

/** Messages one after another until told to stop, what they came to, and the milliseconds of the slowest. */
async function keepSending(mta: MtaConnexion, isOver: () => boolean) {
  let longest = 0;
  let count = 0;
  const came = new Set<string>();
  while (!isOver()) {
    const begun = performance.now();
    const infected = ++count % 2 === 0;
    const body = Buffer.from(infected ? eicar() : "clean\r\n");
    const kind = await mta.mail({ headers, body }).then(outcomeKind, () => "lost");
    came.add(kind === (infected ? "replyCode" : "accept") ? "right" : kind);
    longest = Math.max(longest, performance.now() - begun);
    if (kind === "lost") break;
    await Bun.sleep(20);
  }
  return { longest, came, count };
}

test.each(["child", "keeper"] as const)(
  "a %s that hangs: others get their verdicts meanwhile, and it is replaced within 10 s",
  async (role) => {
    const name = `hang-${role}`;
    const socket = join(folder.path, `${name}.sock`);
    const filter = await started(order(name, clamd.socketPath, socket));
    const mtas = await spread(filter, name, socket, 4);
    const victim = filter.children().find((pid) => roleOf(pid).includes(`@${role}`)) ?? 0;
    const before = filter.children();
    // All at once, so that there are sessions with clamd.
    await Promise.all([...mtas.values()].flat().map((mta) => mta.mail({ headers })));
    let over = false;
    const others = [...mtas].filter(([pid]) => pid !== victim).flatMap(([, list]) => list);
    const sending = others.map((mta) => keepSending(mta, () => over));
    const stuck = (mtas.get(victim) ?? []).map((mta) => keepSending(mta, () => over));
    hang(victim);
    const begun = performance.now();
    const isBack = (): boolean => {
      const now = filter.children();
      return !now.includes(victim) && now.length === before.length;
    };
    await until(isBack, { what: "the one that hangs to be replaced", detail: filter.log });
    const fresh = await Promise.all(Array.from({ length: 8 }, () => greeted(socket)));
    for (const mta of fresh) expect(outcomeKind(await mta.mail({ headers }))).toBe("accept");
    expect(performance.now() - begun).toBeLessThan(10_000);
    over = true;
    const sent = await Promise.all(sending);
    // What needs a new session with clamd waits for the next keeper; whatever has one goes on.
    const bound = role === "child" ? 3000 : 8000;
    for (const { longest, came } of sent) {
      expect(came).toEqual(new Set(["right"]));
      expect(longest).toBeLessThan(bound);
    }
    expect(sent.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(20 * sent.length);
    for (const { came } of await Promise.all(stuck)) expect(came).toContain("lost");
    for (const mta of [...others, ...fresh]) mta.quit();
    expect(await filter.stop()).toBe(0);
  },
  PATIENCE,
);
