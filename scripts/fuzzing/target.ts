import type { Chance } from "./chance.ts";

/** A part of the program that reads what others write, and what must hold of it. */
export interface Target {
  /** Name on the command line, and of the folder with its corpus. */
  readonly name: string;
  /** What is fed, and to what. */
  readonly about: string;
  /** Words of its language, for mutations. */
  readonly dictionary: readonly string[];
  /** Bytes of an input at most. */
  readonly largest: number;
  /** An input after the grammar; it need not be right. */
  generate(chance: Chance): Uint8Array;
  /**
   * Feeds one input. Whatever it throws is a finding.
   * @returns what came out, in a few words: an input with new words is worth keeping
   */
  run(input: Uint8Array): string | Promise<string>;
}

/** Something that must hold does not. */
export class Broken extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Broken";
  }
}

/** @throws Broken */
export function must(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Broken(message);
}

/** @throws Broken when both are not the same as JSON; bytes are compared as such */
export function mustEqual(one: unknown, other: unknown, message: string): void {
  const [left, right] = [plain(one), plain(other)];
  if (left === right) return;
  let at = 0;
  while (at < left.length && left[at] === right[at]) at++;
  const from = Math.max(0, at - 20);
  throw new Broken(`${message}: ${left.slice(from, from + 120)} | ${right.slice(from, from + 120)}`);
}

function plain(value: unknown): string {
  if (typeof value === "string") return value;
  return JSON.stringify(value, function (this: Readonly<Record<string, unknown>>, key, said: unknown) {
    // A Buffer has become something else by now.
    const part = this[key];
    if (part instanceof Uint8Array) return `bytes ${Buffer.from(part).toString("hex")}`;
    if (part instanceof Map) return [...part];
    return part instanceof Set ? [...part] : said;
  });
}

/** What a work gave, or the code of the error that it is documented to throw. */
export type Outcome<T> =
  | { readonly value: T; readonly code: "" }
  | { readonly value: null; readonly code: string };

/**
 * Does a work that may throw one class of errors only, each with a code.
 * @throws whatever else the work throws
 */
export function outcomeOf<T>(
  work: () => T,
  allowed: new (...words: never[]) => Error & { readonly code: string },
): Outcome<T> {
  try {
    return { value: work(), code: "" };
  } catch (error) {
    if (!(error instanceof allowed)) throw error;
    must(error.message.length > 0, "an error without a message");
    must(!/[\n\r\0]/.test(error.message), "the message of an error is not one line");
    return { value: null, code: error.code };
  }
}

/** Bytes as a "binary" string. */
export function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** A "binary" string as bytes. */
export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

/** Stands between the texts of an input that has several. */
export const BETWEEN = "\x1e";

/** The texts of an input, as "binary" strings; the last one has whatever is left. */
export function textsOf(input: Uint8Array, count: number): string[] {
  const parts = binary(input).split(BETWEEN);
  const texts = parts.slice(0, count - 1);
  texts.push(parts.slice(count - 1).join(BETWEEN));
  while (texts.length < count) texts.push("");
  return texts;
}

/** The order of magnitude of a length, for the words about an outcome. */
export function size(length: number): number {
  return length < 4 ? length : 3 + Math.floor(Math.log2(length));
}
