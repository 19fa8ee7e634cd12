import { type Bench, withServers } from "./bench.ts";
import { median } from "./figures.ts";
import { accepting, FILTERS, launchFilter, startScanner } from "./servers.ts";
import { columns, short } from "./table.ts";
import { stateOf } from "./tree.ts";

const MEGABYTE = 1 << 20;
/** Milliseconds until a program that has just started shows what it takes at rest. */
const SETTLE = 300;

/** From the start of the program to the first MTA that is answered. */
export async function measureStart(bench: Bench): Promise<void> {
  const { folder, database, options } = bench;
  const times: Record<string, number[]> = Object.fromEntries(FILTERS.map((name) => [name, []]));
  const memory: Record<string, number> = {};
  await withServers(async (started) => {
    const scanner = started(await startScanner(folder, database));
    for (let at = 0; at < options.starts; at++) {
      for (const name of at % 2 === 0 ? FILTERS : [...FILTERS].reverse()) {
        const filter = launchFilter(name, folder, scanner, true);
        try {
          times[name]?.push(await accepting(filter));
          if (at > 0) continue;
          await Bun.sleep(SETTLE);
          memory[name] = stateOf(filter.pid).memory;
        } finally {
          await filter.stop();
        }
      }
    }
  });
  bench.keep("start", { milliseconds: times, memory });
  bench.say(`\nStart to the first answer to an MTA, of ${options.starts} starts; clamd is there already`);
  const rows = FILTERS.map((name) => {
    const all = times[name] ?? [];
    return [
      name,
      short(median(all)),
      short(Math.min(...all)),
      short(Math.max(...all)),
      short((memory[name] ?? 0) / MEGABYTE),
    ];
  });
  for (const line of columns([["target", "median ms", "least", "most", "MB at rest"], ...rows]))
    bench.say(line);
}
