import { type Bench, withServers } from "./bench.ts";
import type { RunFigures } from "./figures.ts";
import type { Held } from "./orders.ts";
import { KEPT } from "./rates.ts";
import { type FilterName, OUTSIDE_CLIENT, type Server, startFilter, startStub } from "./servers.ts";
import { columns, short } from "./table.ts";
import { stateOf, type TreeState } from "./tree.ts";

const MEGABYTE = 1 << 20;
const KILOBYTE = 1 << 10;
/** Messages of the busy connexion. */
const BUSY = 300;

interface IdleFigures {
  readonly wanted: number;
  readonly held: Held | null;
  readonly before: TreeState;
  readonly beside: TreeState;
  /** A busy connexion alone, and beside the idle ones. */
  readonly alone: RunFigures;
  readonly busy: RunFigures | null;
  /** One mail on each of the idle connexions. */
  readonly served: RunFigures | null;
  /** What became of the program. */
  readonly fate: string;
}

/** Idle MTA connexions: whether they are answered, what they take, and what they do to a busy one. */
export async function measureIdle(bench: Bench): Promise<void> {
  const { options, generator } = bench;
  const most = Math.max(0, generator.limit - 200);
  const count = Math.min(options.idle, most);
  const short = count < options.idle ? ` (no more than ${generator.limit} files may be open here)` : "";
  bench.say(`\n${count} idle MTA connexions beside a busy one${short}`);
  const all: Record<string, IdleFigures> = {};
  for (const name of ["clamav-milter", "ours-unix"] as const) all[name] = await holdFor(bench, name, count);
  bench.keep("idle", all);
  for (const line of idleTable(all)) bench.say(line);
  const ours = all["ours-unix"];
  if (ours === undefined) return;
  bench.wrong("idle: connexions of ours-unix that were not held", count - (ours.held?.greeted ?? 0), null);
  for (const figures of [ours.alone, ours.busy, ours.served]) {
    bench.wrong("idle ours-unix", figures?.wrong ?? 0, figures?.firstWrong ?? null);
  }
}

function holdFor(bench: Bench, name: FilterName, count: number): Promise<IdleFigures> {
  return withServers(async (started) => {
    const { generator } = bench;
    const scanner = started(await startStub(bench.folder));
    const filter = started(await startFilter(name, bench.folder, scanner, false));
    const client = OUTSIDE_CLIENT;
    const busyLoad = (): Promise<RunFigures> =>
      generator.load({
        kind: "milter",
        address: filter.address,
        connexions: 1,
        messages: BUSY,
        seconds: 10,
        size: "10k",
        perConnexion: KEPT,
        client,
        scanned: true,
      });
    await busyLoad();
    const alone = await busyLoad();
    const before = stateOf(filter.pid);
    const held = await generator.hold({ address: filter.address, client, count, scanned: true });
    const beside = stateOf(filter.pid);
    const busy = filter.running() ? await busyLoad() : null;
    const served = filter.running() ? await generator.serve({ size: "2k", scanned: true }) : null;
    const fate = fateOf(filter);
    await generator.release();
    return { wanted: count, held, before, beside, alone, busy, served, fate };
  });
}

function fateOf(filter: Server): string {
  if (filter.running()) return "runs";
  const words = filter.lastWords().trim().split("\n").at(-1) ?? "";
  return `died${words === "" ? "" : `: ${words.slice(0, 80)}`}`;
}

function idleTable(all: Readonly<Record<string, IdleFigures>>): string[] {
  const head = [
    "target",
    "held",
    "served",
    "MB before",
    "MB beside",
    "kB each",
    "busy p50/p99 ms alone",
    "beside",
    "fate",
  ];
  const latency = (figures: RunFigures | null): string =>
    figures === null ? "-" : `${short(figures.p50)}/${short(figures.p99)}`;
  const rows = Object.entries(all).map(([name, { held, served, before, beside, alone, busy, fate }]) => {
    const greeted = held?.greeted ?? 0;
    const grown = beside.memory - before.memory;
    const each = fate === "runs" && greeted > 0 ? short(grown / greeted / KILOBYTE) : "-";
    return [
      name,
      String(greeted),
      String(served === null ? 0 : served.messages - served.wrong),
      short(before.memory / MEGABYTE),
      short(beside.memory / MEGABYTE),
      each,
      latency(alone),
      latency(busy),
      fate,
    ];
  });
  return columns([head, ...rows]);
}
