import { chanceFrom } from "./random.ts";

/** One step of a run: a pause without new faults, then one, or two at once. */
export interface PlannedFault {
  /** Seconds of quiet before. */
  readonly quiet: number;
  readonly names: readonly string[];
}

/** How often two come together. */
const PAIRS = 0.15;
const QUIET = { from: 3, to: 9 };

/**
 * Faults in the order of a seed: every one comes once before any comes again, so that a short run has seen most of
 * them.
 */
export function* planFaults(names: readonly string[], seed: number): Generator<PlannedFault> {
  const chance = chanceFrom(seed);
  for (;;) {
    const round = shuffled(names, seed, chance.between(0, 1_000_000));
    while (round.length > 0) {
      const count = round.length > 1 && chance.happens(PAIRS) ? 2 : 1;
      yield { quiet: chance.between(QUIET.from, QUIET.to), names: round.splice(0, count) };
    }
    if (names.length === 0) return;
  }
}

function shuffled(names: readonly string[], seed: number, round: number): string[] {
  const chance = chanceFrom(seed + round);
  return names
    .map((name) => ({ name, place: chance.next() }))
    .toSorted((one, other) => one.place - other.place)
    .map(({ name }) => name);
}
