import type { Mode } from "./lab.ts";

/** What the command line asks for. */
export interface SoakOrder {
  readonly minutes: number;
  readonly seed: number;
  readonly modes: readonly Mode[];
  readonly connexions: number;
  /** Where the filters' logs are to be kept; null: nowhere. */
  readonly logs: string | null;
}

const USAGE = "[--minutes N] [--seed N] [--connexions N] [--logs DIR] [--internal | --external]";
const MOST_MINUTES = 7 * 24 * 60;

/** @throws Error with the usage when the words are none of ours */
export function readOrder(words: readonly string[], name: string, seed: number): SoakOrder {
  const order = { minutes: 60, seed, connexions: 8, logs: null as string | null };
  const modes = new Set<Mode>();
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [option = "", attached] = word.split("=", 2);
    const value = (): number => Number(attached ?? rest.shift() ?? Number.NaN);
    if (word === "--internal" || word === "--external")
      modes.add(word === "--internal" ? "internal" : "external");
    else if (option === "--minutes") order.minutes = value();
    else if (option === "--seed") order.seed = value();
    else if (option === "--connexions") order.connexions = value();
    else if (option === "--logs") order.logs = attached ?? rest.shift() ?? null;
    else if (word !== "--own-mounts") throw new Error(`${word}: unknown\nusage: scripts/${name} ${USAGE}`);
  }
  const { minutes, connexions } = order;
  const sound =
    minutes > 0 &&
    minutes <= MOST_MINUTES &&
    Number.isSafeInteger(order.seed) &&
    connexions >= 1 &&
    connexions <= 500;
  if (!sound) throw new Error(`a number is missing or out of range\nusage: scripts/${name} ${USAGE}`);
  return { ...order, modes: modes.size === 0 ? ["external", "internal"] : [...modes] };
}
