import type { Deck, Size } from "./corpus.ts";
import { type RunFigures, rateOf } from "./figures.ts";
import type { Generator } from "./generator.ts";
import type { Address } from "./link.ts";
import type { LoadOrder } from "./orders.ts";
import { orderOf } from "./rounds.ts";
import { LOCAL_CLIENT, OUTSIDE_CLIENT } from "./servers.ts";
import { cpuOf, stateOf } from "./tree.ts";

/** One thing that takes its turn. */
export interface Entry {
  readonly name: string;
  readonly kind: LoadOrder["kind"];
  readonly address: Address;
  /** Root of the process tree whose processor time and memory are told. */
  readonly pid: number;
}

/** One load. */
export interface Cell {
  readonly size: Deck;
  readonly concurrency: number;
  /** Messages on a connexion. */
  readonly perConnexion: number;
  readonly scanned: boolean;
}

/** One turn. */
export interface Turn extends RunFigures {
  readonly round: number;
  /** Processor seconds of the entry's process tree. */
  readonly cpu: number;
  /** Memory of the tree after the turn, in bytes. */
  readonly memory: number;
}

export interface CellResult {
  readonly cell: Cell;
  readonly turns: Readonly<Record<string, readonly Turn[]>>;
}

export interface CellPlan {
  readonly entries: readonly Entry[];
  readonly cell: Cell;
  readonly rounds: number;
  /** Seconds that a turn of the first entry is to take, about. */
  readonly seconds: number;
  /** Seconds after which no further round is begun. */
  readonly budget: number;
}

/** Messages on a connexion that is kept. */
export const KEPT = 20;
/** A whole deck of the mix must go through: a part of it would be of other sizes. */
const LEAST: Readonly<Record<Deck, number>> = {
  check: 40,

  "2k": 40,
  "10k": 40,
  "100k": 24,
  "1m": 6,
  "10m": 2,
  mix: 200,
};
/** More connexions than this have megabytes under way that no mail server has. */
const MOST_CONNEXIONS: Readonly<Record<Size, number>> = {
  "2k": 4_000,
  "10k": 4_000,
  "100k": 4_000,
  "1m": 32,
  "10m": 8,
  mix: 32,
};
/** How much longer than planned a turn may take, and the seconds that it may always take. */
const PATIENCE = 8;
const LEAST_PATIENCE = 15;
const MANY = 1_000_000;

/** The loads of a section: every size on kept connexions, and 10 kB on new ones, where the size counts least. */
export function cellsOf(sizes: readonly Size[], concurrency: readonly number[], scanned: boolean): Cell[] {
  const kept = sizes.map((size) => ({ size, perConnexion: KEPT }));
  const fresh = sizes.includes("10k") ? "10k" : sizes[0];
  // First of all: the dear sizes come last.
  const modes = fresh === undefined ? kept : [{ size: fresh, perConnexion: 1 }, ...kept];
  return modes.flatMap(({ size, perConnexion }) =>
    concurrency
      .filter((count) => count <= MOST_CONNEXIONS[size])
      .map((count) => ({ size, concurrency: count, perConnexion, scanned })),
  );
}

/** Gives all entries the same messages in each round, one entry after the other. */
export async function measureCell(generator: Generator, plan: CellPlan): Promise<CellResult> {
  const { entries, cell, rounds, seconds, budget } = plan;
  const begun = performance.now();
  const turns: Record<string, Turn[]> = Object.fromEntries(entries.map(({ name }) => [name, []]));
  const messages = await calibrate(generator, plan);
  for (let round = 0; round < rounds; round++) {
    // A round is as long as the last was.
    const spent = (performance.now() - begun) / 1000;
    if (round > 0 && spent + spent / round > budget) break;
    for (const entry of orderOf(entries, round)) {
      const order = {
        ...orderFor(entry, cell),
        messages,
        seconds: Math.max(LEAST_PATIENCE, seconds * PATIENCE),
      };
      const before = cpuOf(entry.pid);
      const figures = await generator.load(order);
      const cpu = cpuOf(entry.pid) - before;
      turns[entry.name]?.push({ ...figures, round, cpu, memory: stateOf(entry.pid).memory });
    }
  }
  return { cell, turns };
}

/** How many messages the first filter, or whatever there is, gets through in the time of a turn. */
async function calibrate(generator: Generator, { entries, cell, seconds }: CellPlan): Promise<number> {
  const entry = entries.find(({ kind }) => kind === "milter") ?? entries[0];
  if (entry === undefined) return 0;
  const order = { ...orderFor(entry, cell), messages: MANY, seconds: seconds / 3 };
  const figures = await generator.load(order);
  const aim = Math.round(rateOf(figures) * seconds);
  const least = Math.max(LEAST[cell.size], cell.concurrency);
  return Math.max(least, cell.size === "mix" ? Math.floor(aim / least) * least : aim);
}

/** What the generator is told of a load but how much of it. */
export function orderFor(entry: Entry, cell: Cell): Omit<LoadOrder, "do" | "messages" | "seconds"> {
  const client = cell.scanned ? OUTSIDE_CLIENT : LOCAL_CLIENT;
  const { size, perConnexion, scanned, concurrency } = cell;
  return {
    kind: entry.kind,
    address: entry.address,
    connexions: concurrency,
    size,
    perConnexion,
    client,
    scanned,
  };
}
