/** A source of chance that gives the same numbers for the same start. */
export interface Chance {
  /** From 0 to 1, without 1. */
  next(): number;
  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number;
  /** @throws Error when there is nothing to pick from */
  pick<T>(from: readonly T[]): T;
  /** Whether a thing of this probability happens. */
  happens(probability: number): boolean;
}

/** Marsaglia's xorshift with 32 bits: good enough to mix faults and messages. */
export function chanceFrom(seed: number): Chance {
  // Small seeds lie next to each other: they are spread first.
  let state = (Math.imul(seed ^ (seed >>> 16), 0x45d9f3b) ^ 0x9e3779b9) >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 0x1_0000_0000;
  };
  for (let at = 0; at < 8; at++) next();
  return {
    next,
    between: (from, to) => from + Math.floor(next() * (to - from + 1)),
    pick: (from) => {
      const picked = from[Math.floor(next() * from.length)];
      if (picked === undefined) throw new Error("nothing to pick from");
      return picked;
    },
    happens: (probability) => next() < probability,
  };
}
