/** A source of chance that gives the same for the same seed, on every machine. */
export class Chance {
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  /** @param seed any number @param name distinguishes what has the same seed */
  constructor(seed: number, name = "") {
    let mixed = (seed ^ Math.floor(seed / 2 ** 32)) >>> 0;
    for (let at = 0; at < name.length; at++) mixed = spread(mixed ^ name.charCodeAt(at));
    this.#a = spread(mixed + 1);
    this.#b = spread(mixed + 2);
    this.#c = spread(mixed + 3);
    for (let round = 0; round < 12; round++) this.next();
  }

  /** 32 bits: Chris Doty-Humphrey's "sfc32", which passes PractRand. */
  next(): number {
    const sum = (this.#a + this.#b + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.next() / 2 ** 32) * limit);
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  happens(share: number): boolean {
    return this.next() < share * 2 ** 32;
  }

  pick<T>(from: readonly T[]): T {
    const one = from[this.below(from.length)];
    if (one === undefined) throw new RangeError("there is nothing to pick from");
    return one;
  }

  /** Up to `most` of what `make` makes; few more often than many. */
  several<T>(most: number, make: () => T): T[] {
    return Array.from({ length: Math.min(this.below(most + 1), this.below(most + 1)) }, make);
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256));
  }

  /** A text of so many characters of an alphabet. */
  text(alphabet: string, count: number): string {
    let text = "";
    for (let at = 0; at < count; at++) text += alphabet.charAt(this.below(alphabet.length));
    return text;
  }

  /** A length: mostly small, sometimes at a power of two, where bounds are. */
  length(most: number): number {
    if (this.happens(0.7)) return this.below(Math.min(most, 20) + 1);
    if (this.happens(0.7)) return this.below(Math.min(most, 400) + 1);
    const near = 2 ** this.below(Math.floor(Math.log2(most)) + 1) + this.between(-2, 2);
    return Math.max(0, Math.min(most, near));
  }
}

function spread(value: number): number {
  let mixed = (value + 0x9e3779b9) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
