import { type Bench, withServers } from "./bench.ts";
import { type Section, USUAL_ROUNDS } from "./options.ts";
import { type Cell, type CellResult, cellsOf, type Entry, KEPT, measureCell, orderFor } from "./rates.ts";
import { ratioTable, titleOf } from "./ratios.ts";
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
  /** Its part of the time for all tables. */
  readonly share: number;
}

const KINDS: Readonly<Partial<Record<Section, Kind>>> = {
  direct: {
    title: "clamd without a filter",
    filters: [],
    direct: true,
    stub: false,
    scanned: true,
    seconds: 0.5,
    share: 0.2,
  },
  scan: {
    title: "Scanned by a real clamd (limit: the better of its two ways without a filter)",
    filters: FILTERS,
    direct: true,
    stub: false,
    scanned: true,
    seconds: 0.5,
    share: 0.65,
  },
  stub: {
    title: "Before a stand-in for clamd that answers at once: what the filter itself costs",
    filters: FILTERS.filter((name) => name !== "ours-internal"),
    direct: false,
    stub: true,
    scanned: true,
    seconds: 0.6,
    share: 0.25,
  },
  unscanned: {
    title: "Mail that is not scanned: what the protocol costs",
    filters: ["clamav-milter", "ours-unix"],
    direct: false,
    stub: true,
    scanned: false,
    seconds: 0.6,
    share: 0.1,
  },
};
/**
 * Messages by which a new process is made to compile what it runs often, on kept connexions and as many on new ones,
 * and the most seconds for either: one that has run for a day has compiled it. Before a real clamd a second does not
 * bring enough of them. What is compiled already needs none, but is to be warm, too.
 */
const WARM_UP = { messages: 10_000, seconds: 15 };
const COMPILED = { messages: 1_000, seconds: 2 };

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
  // Who asks for longer or for more turns has the time for them.
  const longer = Math.max(1, options.messages) * Math.max(1, options.rounds / USUAL_ROUNDS);
  const end = performance.now() + kind.share * options.budget * longer * 1000;
  await warmUp(bench, kind, entries);
  const results: CellResult[] = [];
  const cells = cellsFor(bench, kind);
  for (const [at, cell] of cells.entries()) {
    const left = (end - performance.now()) / 1000;
    if (left < 0) {
      bench.say(`No time for ${cells.slice(at).map(titleOf).join(", ")}`);
      break;
    }
    // The dear ones come last: what those before them have not used is theirs.
    const budget = (2 * left) / (cells.length - at + 1);
    const result = await measureCell(generator, { entries, cell, rounds: options.rounds, seconds, budget });
    tellWrong(bench, result);
    results.push(result);
  }
  return results;
}

function tellWrong(bench: Bench, { cell, turns }: CellResult): void {
  for (const [name, all] of Object.entries(turns)) {
    const wrong = all.reduce((sum, turn) => sum + turn.wrong, 0);
    const first = all.find((turn) => turn.wrong > 0)?.firstWrong ?? null;
    bench.wrong(`${titleOf(cell)} ${name}`, wrong, first);
  }
}

function cellsFor({ options }: Bench, kind: Kind): Cell[] {
  const { sizes, concurrency } = options;
  // The stand-in calls infected mail clean, and what is not scanned is not looked at: one size says it all.
  const usable = kind.scanned ? sizes.filter((size) => !kind.stub || size !== "mix") : sizes.slice(0, 1);
  const cells = cellsOf(usable, concurrency, kind.scanned);
  const fresh = kind.filters.length > 0;
  return cells.filter(({ perConnexion }) => fresh || perConnexion > 1);
}

/**
 * Makes new processes compile what they run often, and looks whether infected mail is found at all. What takes and ends
 * connexions is run often only if they are new ones.
 */
async function warmUp(bench: Bench, kind: Kind, entries: readonly Entry[]): Promise<void> {
  const factor = Math.min(1, bench.options.messages);
  const size = kind.stub ? "2k" : "check";
  for (const entry of entries) {
    const { messages, seconds } = entry.name.startsWith("ours") ? WARM_UP : COMPILED;
    for (const perConnexion of [KEPT, 1]) {
      const figures = await bench.generator.load({
        ...orderFor(entry, { size, concurrency: 8, perConnexion, scanned: kind.scanned }),
        messages: Math.ceil(messages * factor),
        seconds: seconds * factor,
      });
      bench.wrong(`warm-up ${entry.name}`, figures.wrong, figures.firstWrong);
    }
  }
}
