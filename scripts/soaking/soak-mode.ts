import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../test/lab/wait.ts";
import { type Excuses, excuses } from "./excuses.ts";
import { type Fault, type FaultWorld, possibleFaults } from "./fault.ts";
import { afterWarmUp, growsTooMuch, type Point, slopeByMinute } from "./figures.ts";
import { inflict, ownFaults } from "./inflict.ts";
import { type KeptMail, keptMail } from "./kept-mail.ts";
import { type Mode, type SoakLab, STREAM_LIMIT, startLab } from "./lab.ts";
import type { SoakOrder } from "./order.ts";
import { planFaults } from "./plan.ts";
import { PROCESS_FAULTS } from "./process-faults.ts";
import { chanceFrom } from "./random.ts";
import { SCANNER_FAULTS } from "./scanner-faults.ts";
import { SHORTAGE_FAULTS } from "./shortage-faults.ts";
import { type SoakTally, type SoakTraffic, startTraffic } from "./traffic.ts";
import { descriptorsOf, filesBelow, type Usage, usageOf } from "./tree.ts";

/** What a run of one mode has come to. */
export interface SoakResult {
  readonly lines: readonly string[];
  readonly wrong: readonly string[];
}

/** A run, as seen from outside. */
export interface SoakRun {
  readonly order: SoakOrder;
  readonly mode: Mode;
  readonly say: (line: string) => void;
  /** Whether it is to end early. */
  readonly stopped: () => boolean;
}

export const FAULTS: readonly Fault[] = [...PROCESS_FAULTS, ...SCANNER_FAULTS, ...SHORTAGE_FAULTS];

const MIX = { infected: 0.2, largest: 5_000_000, limit: STREAM_LIMIT };
/** Part of the messages that may meet a temporary failure, with a fault all the time. */
const MOST_TEMPORARY = 0.15;
const SAMPLE_EVERY = 5_000;
const REPORT_EVERY = 60_000;
/** Milliseconds for the last messages, and for the last notices. */
const LAST_MESSAGES = 40_000;
const LAST_NOTICES = 45_000;
/** Descriptors that sessions with scanners may take: they are kept for the next message. */
const SESSIONS = 70;
const BOUNDS = {
  PSS: { share: 0.25, least: 48 },
  descriptors: { share: 0.25, least: SESSIONS },
  files: { share: 0.5, least: 300 },
};

/** Runs one mode for the time that was ordered, and a little more for the end. */
export async function soakMode(run: SoakRun): Promise<SoakResult> {
  const { mode, order } = run;
  const lab = await startLab(mode);
  const wrong: string[] = [];
  const lines: string[] = [];
  try {
    const span = order.minutes * 60_000;
    const kept = keptMail(lab);
    const excused = excuses();
    const prefix = mode === "external" ? "E" : "I";
    const traffic = startTraffic({
      socket: lab.socket,
      connexions: order.connexions,
      seed: order.seed,
      prefix,
      mix: MIX,
      pause: 200,
      excuses: excused,
      kept,
    });
    const end = performance.now() + span;
    const first = await firstRest(span, lab);
    const watch = watchUsage(run, lab, { tally: traffic.tally, kept, first, wrong });
    const faults = await inflictAll(
      run,
      { lab, kept, chance: chanceFrom(order.seed), oldest: () => traffic.oldest },
      excused,
      end,
      wrong,
    );
    await waitUntil(end, run.stopped);
    await endTraffic(traffic, wrong);
    watch.stop();
    wrong.push(...traffic.tally.wrong, ...ownFaults(lab.log()));
    keepLog(run, lab);
    lines.push(`${mode}: faults: ${[...faults].map(([name, count]) => `${count} x ${name}`).join(", ")}`);
    lines.push(...judgeGrowth(mode, watch.points, span, wrong));
    if (!run.stopped()) await lookAtTheEnd(lab, { first, kept, wrong });
    lines.push(summary(mode, traffic.tally, kept, wrong));
  } finally {
    wrong.push(...(await lab.stop()));
  }
  return { lines, wrong: wrong.map((each) => `${mode}: ${each}`) };
}

/** The log of a long run tells more than its summary. */
function keepLog({ order, mode }: SoakRun, lab: SoakLab): void {
  if (order.logs === null) return;
  mkdirSync(order.logs, { recursive: true });
  writeFileSync(join(order.logs, `${mode}.log`), lab.log());
}

/** What is left when there is no load any more, and when a fresh filter has sent what was left to send. */
async function lookAtTheEnd(
  lab: SoakLab,
  { first, kept, wrong }: { first: Rest; kept: KeptMail; wrong: string[] },
): Promise<void> {
  await settle(lab, first, wrong);
  wrong.push(...(await lab.startAgain()));
  await outboxEmpties(lab, wrong);
  wrong.push(...kept.finish());
}

/** What the processes have once they are warm. */
interface Rest {
  readonly usage: Usage;
  /** Children, keeper and engine, without what the keeper has sent mail by at that moment. */
  readonly roles: number;
  readonly supervisor: number;
}

function restOf(lab: SoakLab): Rest {
  const { pid } = lab.filter;
  const roles = (["child", "keeper", "engine"] as const).flatMap((name) => lab.roles(name)).length;
  return { usage: usageOf(pid), roles, supervisor: descriptorsOf(pid) };
}

async function firstRest(span: number, lab: SoakLab): Promise<Rest> {
  await Bun.sleep(Math.min(15_000, span / 6));
  return restOf(lab);
}

/** Faults until the end draws near. @returns how often each came */
async function inflictAll(
  run: SoakRun,
  world: FaultWorld,
  excused: Excuses,
  end: number,
  wrong: string[],
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const faults = new Map(possibleFaults(FAULTS, world.lab).map((fault) => [fault.name, fault]));
  const short = run.order.minutes < 1 ? 0.2 : 1;
  // Alone each seed is another run; the two modes are not to do the same at the same time.
  const seed = run.order.seed + (run.mode === "internal" ? 1 : 0);
  let passed = 0;
  for (const { quiet, names } of planFaults([...faults.keys()], seed)) {
    await waitUntil(Math.min(end, performance.now() + quiet * 1000 * short), run.stopped);
    const left = (end - performance.now()) / 1000 - 1;
    if (run.stopped() || left <= 1 || passed > faults.size) break;
    const chosen = names.flatMap((name) => faults.get(name) ?? []).filter(({ lasts }) => lasts < left);
    passed = chosen.length === 0 ? passed + 1 : 0;
    for (const { name } of chosen) counts.set(name, (counts.get(name) ?? 0) + 1);
    const troubles = await inflictTogether(chosen, world, excused);
    wrong.push(...troubles.filter((trouble) => trouble !== null));
  }
  return counts;
}

/**
 * A message in which the engine dies twice is not tried again: two deaths of it come one after the other. There is one
 * clock only, and a clamd cannot be started with a broken database.
 */
const ONE_BY_ONE = [/^engine/, /^clock/, /clamd|database/];

async function inflictTogether(
  faults: readonly Fault[],
  world: FaultWorld,
  excused: Excuses,
): Promise<(string | null)[]> {
  const alike = ONE_BY_ONE.some((names) => faults.every(({ name }) => names.test(name)));
  if (!alike) return Promise.all(faults.map((fault) => inflict(fault, world, excused)));
  const troubles: (string | null)[] = [];
  for (const fault of faults) troubles.push(await inflict(fault, world, excused));
  return troubles;
}

async function waitUntil(end: number, stopped: () => boolean): Promise<void> {
  while (!stopped() && performance.now() < end) await Bun.sleep(Math.min(100, end - performance.now()));
}

async function endTraffic(traffic: SoakTraffic, wrong: string[]): Promise<void> {
  const ended = traffic.stop().then(() => true);
  if (!(await Promise.race([ended, Bun.sleep(LAST_MESSAGES).then(() => false)])))
    wrong.push(`the last messages have no answer after ${LAST_MESSAGES / 1000} s`);
}

interface Points {
  readonly PSS: Point[];
  readonly descriptors: Point[];
  readonly files: Point[];
}

function watchUsage(
  run: SoakRun,
  lab: SoakLab,
  { tally, kept, first, wrong }: { tally: SoakTally; kept: KeptMail; first: Rest; wrong: string[] },
) {
  const points: Points = { PSS: [], descriptors: [], files: [] };
  const begun = performance.now();
  let reported = begun;
  const look = (): void => {
    const usage = usageOf(lab.filter.pid);
    const files = [lab.quarantine, lab.outbox].map(({ path }) => filesBelow(path).length);
    const at = (performance.now() - begun) / 1000;
    points.PSS.push({ at, value: usage.pss });
    points.descriptors.push({ at, value: usage.descriptors });
    points.files.push({ at, value: files.reduce((sum, count) => sum + count, 0) });
    kept.readNotices();
    wrong.push(...kept.sweep());
    if (performance.now() - reported < REPORT_EVERY - SAMPLE_EVERY / 2) return;
    reported = performance.now();
    run.say(reportLine(run.mode, tally, usage, files));
  };
  run.say(reportLine(run.mode, tally, first.usage, []));
  const timer = setInterval(look, Math.min(SAMPLE_EVERY, (run.order.minutes * 60_000) / 10));
  return {
    points,
    stop: () => {
      clearInterval(timer);
      look();
      run.say(reportLine(run.mode, tally, usageOf(lab.filter.pid), []));
    },
  };
}

function reportLine(mode: Mode, tally: SoakTally, usage: Usage, files: readonly number[]): string {
  const { messages, clean, infected, oversize, deferred, lost, givenUp, wrongCount, latency } = tally;
  const time = new Date().toISOString().slice(11, 19);
  const parts = [
    `${messages} messages (${clean} clean, ${infected} infected, ${oversize} oversize, ${givenUp} given up)`,
    `temporary ${deferred}+${lost} lost`,
    `WRONG ${wrongCount}`,
    `ms p50/p99/max ${latency.text()}`,
    `PSS ${usage.pss} MB`,
    `${usage.descriptors} descriptors`,
    `${usage.processes} processes`,
    ...(files.length === 0 ? [] : [`files ${files[0]} quarantine ${files[1]} outbox`]),
  ];
  latency.clear();
  return `${time} ${mode}: ${parts.join(", ")}`;
}

function judgeGrowth(mode: Mode, points: Points, span: number, wrong: string[]): string[] {
  const warm = Math.min(120, span / 1000 / 4);
  const names = ["PSS", "descriptors", "files"] as const;
  const texts = names.map((name) => {
    const after = afterWarmUp(points[name], warm);
    if (growsTooMuch(after, BOUNDS[name]))
      wrong.push(`${name} grows by ${slopeByMinute(after).toFixed(2)} a minute`);
    return `${name} ${slopeByMinute(after).toFixed(2)}`;
  });
  return [`${mode}: growth a minute after the first ${Math.round(warm)} s: ${texts.join(", ")}`];
}

/** Without load and faults the filter must come to rest: all processes there, and nothing held that is not needed. */
async function settle(lab: SoakLab, first: Rest, wrong: string[]): Promise<void> {
  const atRest = (): boolean => {
    const { usage, supervisor, roles } = restOf(lab);
    const descriptors = usage.descriptors <= first.usage.descriptors + SESSIONS;
    return roles === first.roles && supervisor <= first.supervisor + 2 && descriptors;
  };
  try {
    await until(atRest, { what: "the filter to come to rest", deadline: 40_000 });
  } catch {
    wrong.push(`does not come to rest: ${JSON.stringify(first)} before, ${JSON.stringify(restOf(lab))} now`);
  }
}

/** A fresh filter sends what waits at once. */
async function outboxEmpties(lab: SoakLab, wrong: string[]): Promise<void> {
  const waiting = (): string[] =>
    filesBelow(lab.outbox.path).filter((path) =>
      /\/(outbox|failed)\//.test(path.slice(lab.outbox.path.length)),
    );
  try {
    await until(() => waiting().length === 0, { what: "the outbox to be empty", deadline: LAST_NOTICES });
  } catch {
    wrong.push(`${waiting().length} notices were not sent: ${waiting().slice(0, 3).join(", ")}`);
  }
}

function summary(mode: Mode, tally: SoakTally, kept: KeptMail, wrong: string[]): string {
  const temporary = tally.deferred + tally.lost;
  const share = temporary / Math.max(1, tally.messages);
  if (share > MOST_TEMPORARY)
    wrong.push(`${(100 * share).toFixed(1)} % of the messages met a temporary failure`);
  if (tally.clean + tally.infected === 0) wrong.push("no message got a verdict");
  return [
    `${mode}: ${tally.messages} messages`,
    `${tally.wrongCount} wrong`,
    `${temporary} temporary failures (${(100 * share).toFixed(2)} %)`,
    `${kept.told} notices told, ${kept.omitted} left out and counted`,
    `slowest ${Math.round(tally.slowest)} ms`,
  ].join(", ");
}
