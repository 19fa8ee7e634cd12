import type { Chance } from "./chance.ts";

/** Bytes at which parsers turn off. */
const SPECIAL = Buffer.from("\0\t\n\r \"#$%'()*+,-./:;<=>?@[\\]^_{|}~019azAZ\x7f\x80\xa0\xc3\xff", "latin1");

/** What one mutation may draw from. */
export interface Ingredients {
  /** Words of the target's language. */
  readonly dictionary: readonly string[];
  /** Another input, for pieces of it. */
  readonly other: Uint8Array;
  /** Bytes of an input at most. */
  readonly largest: number;
}

type Mutation = (input: Uint8Array, chance: Chance, ingredients: Ingredients) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  flipBit,
  setByte,
  setByte,
  removePiece,
  removePiece,
  insertWord,
  insertWord,
  insertWord,
  doublePiece,
  movePiece,
  takeFromOther,
  takeFromOther,
  insertSpecial,
  insertSpecial,
  changeNumber,
  cutEnd,
];

/** An input that is a little different: one mutation, or some. */
export function mutated(input: Uint8Array, chance: Chance, ingredients: Ingredients): Uint8Array {
  let changed = input;
  const count = 1 + Math.min(chance.below(6), chance.below(6));
  for (let round = 0; round < count; round++) changed = chance.pick(MUTATIONS)(changed, chance, ingredients);
  // What costs more than its length shows only when there is much of it.
  if (chance.happens(0.02)) changed = pumped(changed, chance, ingredients);
  return changed.subarray(0, ingredients.largest);
}

/** One piece of the input, or a word, so often that the input is as long as it may be. */
export function pumped(
  input: Uint8Array,
  chance: Chance,
  { dictionary, largest }: Pick<Ingredients, "dictionary" | "largest">,
): Uint8Array {
  const [from, to] = piece(input, chance, chance.happens(0.7) ? 4 : 60);
  const word = chance.happens(0.5) || dictionary.length === 0 ? " " : chance.pick(dictionary);
  const part = chance.happens(0.5) ? input.subarray(from, to) : Buffer.from(word, "latin1");
  if (part.length === 0) return input;
  const room = Math.max(0, Math.floor((largest - input.length) / part.length));
  const times = chance.happens(0.8) ? room : chance.below(room + 1);
  return joined(input.subarray(0, from), Buffer.alloc(part.length * times, part), input.subarray(from));
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

function piece(input: Uint8Array, chance: Chance, longest = 1 << 30): [from: number, to: number] {
  const from = chance.below(input.length + 1);
  return [from, Math.min(input.length, from + 1 + chance.length(Math.min(longest, input.length + 1)))];
}

function replaced(input: Uint8Array, from: number, to: number, by: Uint8Array): Uint8Array {
  return joined(input.subarray(0, from), by, input.subarray(to));
}

function flipBit(input: Uint8Array, chance: Chance): Uint8Array {
  if (input.length === 0) return input;
  const copy = input.slice();
  const at = chance.below(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << chance.below(8));
  return copy;
}

function setByte(input: Uint8Array, chance: Chance): Uint8Array {
  if (input.length === 0) return input;
  const copy = input.slice();
  copy[chance.below(copy.length)] = chance.happens(0.5) ? chance.below(256) : chance.pick([...SPECIAL]);
  return copy;
}

function removePiece(input: Uint8Array, chance: Chance): Uint8Array {
  const [from, to] = piece(input, chance);
  return replaced(input, from, to, new Uint8Array(0));
}

function insertWord(input: Uint8Array, chance: Chance, { dictionary }: Ingredients): Uint8Array {
  if (dictionary.length === 0) return insertSpecial(input, chance);
  const at = chance.below(input.length + 1);
  return replaced(input, at, at, Buffer.from(chance.pick(dictionary), "latin1"));
}

function insertSpecial(input: Uint8Array, chance: Chance): Uint8Array {
  const at = chance.below(input.length + 1);
  const byte = chance.pick([...SPECIAL]);
  return replaced(input, at, at, Buffer.alloc(chance.happens(0.8) ? 1 : chance.length(300), byte));
}

function doublePiece(input: Uint8Array, chance: Chance): Uint8Array {
  const [from, to] = piece(input, chance);
  const at = chance.below(input.length + 1);
  return replaced(input, at, at, input.slice(from, to));
}

function movePiece(input: Uint8Array, chance: Chance): Uint8Array {
  const [from, to] = piece(input, chance);
  const rest = replaced(input, from, to, new Uint8Array(0));
  const at = chance.below(rest.length + 1);
  return replaced(rest, at, at, input.slice(from, to));
}

function takeFromOther(input: Uint8Array, chance: Chance, { other }: Ingredients): Uint8Array {
  const [from, to] = piece(other, chance);
  const [at, end] = piece(input, chance);
  return replaced(input, at, chance.happens(0.5) ? at : end, other.subarray(from, to));
}

/** A decimal number of the text becomes another, or a byte one more or less. */
function changeNumber(input: Uint8Array, chance: Chance): Uint8Array {
  const numbers = [...Buffer.from(input.subarray(0, 4000)).toString("latin1").matchAll(/\d+/g)];
  if (numbers.length > 0 && chance.happens(0.7)) {
    const found = chance.pick(numbers);
    const value = Number(found[0]);
    const next = chance.pick([value + 1, value - 1, value * 2, 0, 2 ** 31, 2 ** 32, 2 ** 53, 1e21, -1]);
    return replaced(input, found.index, found.index + found[0].length, Buffer.from(String(next)));
  }
  if (input.length === 0) return input;
  const copy = input.slice();
  const at = chance.below(copy.length);
  copy[at] = ((copy[at] ?? 0) + chance.pick([1, 255])) & 0xff;
  return copy;
}

function cutEnd(input: Uint8Array, chance: Chance): Uint8Array {
  return chance.happens(0.5) ? input : input.subarray(0, chance.below(input.length + 1));
}
