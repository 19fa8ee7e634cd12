import { SIZES, type Size } from "./corpus.ts";

/** What can be measured, in the order in which it is. */
export const SECTIONS = ["direct", "scan", "stub", "unscanned", "start", "idle", "memory"] as const;
export type Section = (typeof SECTIONS)[number];

export interface BenchOptions {
  readonly sections: readonly Section[];
  readonly sizes: readonly Size[];
  readonly concurrency: readonly number[];
  readonly rounds: number;
  /** Factor for the messages (and so the time) of every run. */
  readonly messages: number;
  /** Idle connexions. */
  readonly idle: number;
  readonly signatures: number;
  /** Counts of messages after which memory is looked at. */
  readonly marks: readonly number[];
  /**
   * Seconds for the sections of tables, about, with the usual messages and rounds: what does not fit gets fewer rounds,
   * or is left out and named.
   */
  readonly budget: number;
  /** Starts of each program. */
  readonly starts: number;
  readonly json: string | null;
}

export const USAGE = `usage: scripts/bench [--quick] [--sections=${SECTIONS.join(",")}]
  [--sizes=${SIZES.join(",")}] [--concurrency=1,8,32,128] [--rounds=N] [--messages=FACTOR]
  [--idle=N] [--signatures=N] [--starts=N] [--json=FILE]`;

/** Rounds that fit into the budget. */
export const USUAL_ROUNDS = 3;

const DEFAULTS: BenchOptions = {
  sections: SECTIONS,
  sizes: SIZES,
  concurrency: [1, 8, 32, 128],
  rounds: USUAL_ROUNDS,
  messages: 1,
  idle: 10_000,
  signatures: 50_000,
  marks: [10_000, 100_000, 1_000_000],
  budget: 600,
  starts: 10,
  json: null,
};
const QUICK: BenchOptions = {
  ...DEFAULTS,
  sizes: ["2k", "100k"],
  concurrency: [1, 32],
  rounds: 2,
  messages: 0.5,
  idle: 2_000,
  marks: [2_000, 10_000, 50_000],
  budget: 75,
  starts: 4,
};

/** Reads the command line. @throws Error with the usage */
export function parseOptions(words: readonly string[]): BenchOptions {
  let options = words.includes("--quick") ? QUICK : DEFAULTS;
  const rest = words.filter((word) => word !== "--quick");
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, name, given] = /^--([a-z]+)(?:=(.*))?$/.exec(word) ?? [];
    const value = given ?? rest.shift();
    if (name === undefined || value === undefined) throw new Error(`${word}: not understood\n${USAGE}`);
    options = { ...options, ...change(name, value) };
  }
  return options;
}

function change(name: string, value: string): Partial<BenchOptions> {
  switch (name) {
    case "sections":
      return { sections: chosen(value, SECTIONS) };
    case "sizes":
      return { sizes: chosen(value, SIZES) };
    case "concurrency":
      return { concurrency: value.split(",").map((word) => count(word, 1, 4_000)) };
    case "rounds":
      return { rounds: count(value, 1, 100) };
    case "starts":
      return { starts: count(value, 1, 100) };
    case "idle":
      return { idle: count(value, 1, 100_000) };
    case "signatures":
      return { signatures: count(value, 200, 1_000_000) };
    case "messages":
      return { messages: factor(value) };
    case "json":
      return { json: value };
    default:
      throw new Error(`--${name}: there is no such option\n${USAGE}`);
  }
}

function chosen<T extends string>(value: string, known: readonly T[]): T[] {
  const words = value.split(",");
  const wrong = words.find((word) => !known.some((each) => each === word));
  if (wrong !== undefined) throw new Error(`${wrong}: not one of ${known.join(", ")}`);
  return known.filter((each) => words.includes(each));
}

function count(value: string, least: number, most: number): number {
  const number = Number(value);
  if (/^\d+$/.test(value) && number >= least && number <= most) return number;
  throw new Error(`${value}: not a number from ${least} to ${most}`);
}

function factor(value: string): number {
  const number = Number(value);
  if (number > 0 && number <= 100) return number;
  throw new Error(`${value}: not a factor above 0 and up to 100`);
}
