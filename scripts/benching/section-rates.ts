import { type Bench, withServers } from "./bench.ts";
import type { Section } from "./options.ts";
import { type Cell, type CellResult, cellsOf, type Entry, measureCell } from "./rates.ts";
import { ratioTable } from "./ratios.ts";
import { FILTERS, type FilterName, type Scanner, startFilter, startScanner, startStub } from "./servers.ts";

interface Kind {
  readonly title: string;
  readonly filters: readonly FilterName[];
  /** Whether clamd without a filter takes part. */
  readonly direct: boolean;
  readonly stub: boolean;
  readonly scanned: boolean;
  /** Seconds of a turn. */
  readonly seconds: number;
}

const KINDS: Readonly<Partial<Record<Section, Kind>>> = {
  direct: {
    title: "clamd without a filter",
    filters: [],
    direct: true,
    stub: false,
    scanned: true,
    seconds: 0.5,
  },
  scan: {
    title: "Scanned by a real clamd (limit: the better of its two ways without a filter)",
    filters: FILTERS,
    direct: true,
    stub: false,
    scanned: true,
    seconds: 0.5,
  },
  stub: {
    title: "Before a stand-in for clamd that answers at once: what the filter itself costs",
    filters: ["clamav-milter", "ours-unix", "ours-tcp"],
    direct: false,
    stub: true,
    scanned: true,
    seconds: 0.6,
  },
  unscanned: {
    title: "Mail that is not scanned: what the protocol costs",
    filters: ["clamav-milter", "ours-unix"],
    direct: false,
    stub: true,
    scanned: false,
    seconds: 0.6,
  },
};
/** Seconds with which a new process is made to compile what it runs often. */
const WARM_UP = 1;

/** Throughput, latency, processor time and memory under many loads. */
export async function measureRates(bench: Bench, section: Section): Promise<void> {
  const kind = KINDS[section];
  if (kind === undefined) return;
  bench.say(`\n${kind.title}`);
  const results = await withServers(async (started) => {
    const scanner = started(
      kind.stub ? await startStub(bench.folder) : await startScanner(bench.folder, bench.database),
    );
    const entries = kind.direct ? directEntries(scanner) : [];
    for (const name of kind.filters) {
      const filter = started(await startFilter(name, bench.folder, scanner, !kind.stub));
      entries.push({ name, kind: "milter", address: filter.address, pid: filter.pid });
    }
    return measureAll(bench, kind, entries);
  });
  bench.keep(section, results);
  for (const line of ratioTable(results)) bench.say(line);
}

function directEntries({ path, pid }: Scanner): Entry[] {
  const address = { unix: path };
  return [
    { name: "clamd-stream", kind: "stream", address, pid },
    { name: "clamd-fildes", kind: "pass", address, pid },
  ];
}

async function measureAll(bench: Bench, kind: Kind, entries: readonly Entry[]): Promise<CellResult[]> {
  const { options, generator } = bench;
  const seconds = kind.seconds * options.messages;
  await warmUp(bench, entries, kind.scanned, Math.min(WARM_UP, seconds));
  const results: CellResult[] = [];
  for (const cell of cellsFor(bench, kind)) {
    const result = await measureCell(generator, { entries, cell, rounds: options.rounds, seconds });
    for (const [name, turns] of Object.entries(result.turns)) {
      const wrong = turns.reduce((sum, turn) => sum + turn.wrong, 0);
      bench.wrong(
        `${cell.size} x${cell.concurrency} ${name}`,
        wrong,
        turns.find((turn) => turn.wrong > 0)?.firstWrong ?? null,
      );
    }
    results.push(result);
  }
  return results;
}

function cellsFor({ options }: Bench, kind: Kind): Cell[] {
  const { sizes, concurrency } = options;
  // The stand-in calls infected mail clean, and what is not scanned is not looked at: one size says it all.
  const usable = kind.scanned ? sizes.filter((size) => !kind.stub || size !== "mix") : sizes.slice(0, 1);
  const cells = cellsOf(usable, concurrency, kind.scanned);
  const fresh = kind.filters.length > 0;
  return cells.filter(({ perConnexion }) => fresh || perConnexion > 1);
}

async function warmUp(
  bench: Bench,
  entries: readonly Entry[],
  scanned: boolean,
  seconds: number,
): Promise<void> {
  const cell: Cell = { size: "2k", concurrency: 8, perConnexion: 20, scanned };
  await measureCell(bench.generator, { entries, cell, rounds: 1, seconds });
}
