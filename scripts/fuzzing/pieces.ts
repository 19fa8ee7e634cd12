import { Chance } from "./chance.ts";
import { Broken } from "./target.ts";

/** A source of chance that an input itself gives: whoever repeats the input has the same. */
export function chanceOf(input: Uint8Array): Chance {
  return new Chance(Bun.hash.crc32(input), String(input.length));
}

/** The ways in which an input is cut: whole, at random places, and byte by byte if it is short. */
export function cuttings(input: Uint8Array): Uint8Array[][] {
  const chance = chanceOf(input);
  const ways = [[input], cutAtRandom(input, chance, 200), cutAtRandom(input, chance, 5)];
  if (input.length <= 300) ways.push(Array.from(input, (byte) => Uint8Array.of(byte)));
  return ways;
}

function cutAtRandom(input: Uint8Array, chance: Chance, longest: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  // Long inputs in larger pieces: how many there are is what costs.
  const most = Math.max(longest, Math.ceil(input.length / 200));
  for (let at = 0; at < input.length; ) {
    const to = at + 1 + chance.below(most);
    // Whoever keeps a view of what was pushed sees it overwritten.
    pieces.push(input.slice(at, to));
    at = to;
  }
  return pieces;
}

/** Feeds an input in every cutting, and answers what came out of it as a whole. */
export function independentOfCuts<T>(input: Uint8Array, feed: (pieces: readonly Uint8Array[]) => T): T {
  const [whole, ...others] = cuttings(input);
  const expected = feed(whole ?? []);
  const text = JSON.stringify(expected);
  for (const pieces of others) {
    const got = JSON.stringify(feed(pieces));
    if (got === text) continue;
    let at = 0;
    while (text[at] === got[at]) at++;
    const from = Math.max(0, at - 30);
    const shown = [text, got].map((each) => each.slice(from, from + 100));
    throw new Broken(`it matters how the bytes are cut: ${shown.join(" | ")}`);
  }
  return expected;
}
