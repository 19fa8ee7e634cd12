import { median, rateOf } from "./figures.ts";
import type { Cell, CellResult, Turn } from "./rates.ts";
import { columns, short } from "./table.ts";

/** The filter that all others are compared with; over TCP, where none can pass a descriptor, itself over TCP. */
const BASE = "clamav-milter";
const TCP = "-tcp";
/** What clamd can do without a filter; the better of both is the limit. */
export const DIRECT = ["clamd-stream", "clamd-fildes"] as const;

const HEAD = [
  "load",
  "target",
  "msg/s",
  "/c-m",
  "/limit",
  "p50 ms",
  "/c-m",
  "p99 ms",
  "/c-m",
  "CPU s/1000",
  "/c-m",
  "MB",
  "gen %",
  "wrong",
];
const MEGABYTE = 1 << 20;

/** A table of what was measured; ratios are medians of the ratios within a round. */
export function ratioTable(results: readonly CellResult[]): string[] {
  return columns([HEAD, ...results.flatMap(cellRows)]);
}

/** A load in a few words, such as `10k x32 new`. */
export function titleOf({ size, concurrency, perConnexion, scanned }: Cell): string {
  return `${size}${scanned ? "" : " unscanned"} x${concurrency}${perConnexion === 1 ? " new" : ""}`;
}

function cellRows(result: CellResult): string[][] {
  const title = titleOf(result.cell);
  return Object.keys(result.turns).map((name) => [title, name, ...figuresOf(result, name)]);
}

function figuresOf(result: CellResult, name: string): string[] {
  const turns = result.turns[name] ?? [];
  const over = name.endsWith(TCP) ? result.turns[`${BASE}${TCP}`] : undefined;
  const base = over ?? result.turns[BASE] ?? [];
  const middle = (value: (turn: Turn) => number): string => short(median(turns.map(value)));
  const toBase = (value: (turn: Turn) => number): string =>
    name.startsWith(BASE) ? "" : short(medianRatio(turns, base, value));
  const limit = DIRECT.some((each) => each === name) ? "" : short(limitRatio(result, name));
  return [
    middle(rateOf),
    toBase(rateOf),
    limit,
    middle(({ p50 }) => p50),
    toBase(({ p50 }) => p50),
    middle(({ p99 }) => p99),
    toBase(({ p99 }) => p99),
    middle(cpuPerThousand),
    toBase(cpuPerThousand),
    middle(({ memory }) => memory / MEGABYTE),
    middle(({ generatorSeconds, seconds }) => (100 * generatorSeconds) / seconds),
    String(turns.reduce((sum, { wrong }) => sum + wrong, 0)),
  ];
}

function cpuPerThousand({ cpu, messages }: Turn): number {
  return (1000 * cpu) / messages;
}

/** Median over the rounds of what one has to the other in the same round; NaN where nothing can be compared. */
export function medianRatio(
  turns: readonly Turn[],
  base: readonly Turn[],
  value: (turn: Turn) => number,
): number {
  const ratios = turns.flatMap((turn) => {
    const other = base.find(({ round }) => round === turn.round);
    const ratio = other === undefined ? Number.NaN : value(turn) / value(other);
    return Number.isFinite(ratio) ? [ratio] : [];
  });
  return median(ratios);
}

/** What a filter makes of the better of the two ways to drive clamd without one. */
export function limitRatio(result: CellResult, name: string): number {
  const direct = DIRECT.map((each) => result.turns[each] ?? []);
  const [better = []] = direct.sort((a, b) => median(b.map(rateOf)) - median(a.map(rateOf)));
  return medianRatio(result.turns[name] ?? [], better, rateOf);
}
