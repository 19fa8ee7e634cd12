import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeDatabase } from "../../test/lab/database.ts";
import { type Random, seeded } from "./random.ts";

/** Types of file that a body signature is for: any, program, HTML, mail, text in normal form; text is what mail is. */
const TARGETS: readonly [number, ...number[]] = [0, 0, 0, 0, 0, 1, 1, 1, 3, 3, 3, 3, 4, 4, 4, 4, 7, 7, 7, 7];
const TEXTS: ReadonlySet<number> = new Set([3, 4, 7]);
/** Letters about as often as they are in English, so that signatures for text share beginnings with real text. */
const LETTERS = "eeeeetttaaaooiinnsshhrrddllucmfwypgbvk  ";

/** A database of made-up signatures, by file name: half of them hashes, a few logical ones, bodies for the rest. */
export function madeUpSignatures(count: number): Readonly<Record<string, string>> {
  const random = seeded(4711);
  const logical = Math.floor(count / 100);
  const hashes = Math.floor(count / 2);
  const rows = (length: number, row: (at: number) => string): string =>
    `${Array.from({ length }, (_, at) => row(at)).join("\n")}\n`;
  return {
    "made-up.hdb": rows(
      hashes,
      (at) => `${random.bytes(16).toString("hex")}:${200 + random.below(400_000)}:Made.Hash-${at}`,
    ),
    "made-up.ldb": rows(logical, (at) => logicalSignature(at, random)),
    "made-up.ndb": rows(count - hashes - logical, (at) => bodySignature(at, random)),
  };
}

/** Writes the made-up signatures and those that find EICAR. @returns the folder */
export function writeBenchDatabase(folder: string, count: number): string {
  mkdirSync(folder, { recursive: true });
  writeDatabase(folder);
  for (const [name, text] of Object.entries(madeUpSignatures(count))) writeFileSync(join(folder, name), text);
  return folder;
}

function bodySignature(at: number, random: Random): string {
  const target = random.pick(TARGETS);
  const hex = (TEXTS.has(target) ? textLike(random) : random.bytes(12 + random.below(28))).toString("hex");
  return `Made.Body-${at}:${target}:*:${withGap(hex, random)}`;
}

/** Letters with a few in the middle that no text has. */
function textLike(random: Random): Buffer {
  const word = (length: number): string =>
    Array.from({ length }, () => LETTERS[random.below(LETTERS.length)] ?? "e").join("");
  return Buffer.from(`${word(6)}${random.bytes(4).toString("hex")}${word(6 + random.below(16))}`, "latin1");
}

function withGap(hex: string, random: Random): string {
  const middle = Math.floor(hex.length / 4) * 2;
  const [front, back] = [hex.slice(0, middle), hex.slice(middle)];
  const kind = random.below(20);
  if (kind < 3) return `${front}{${random.below(4)}-${5 + random.below(35)}}${back}`;
  if (kind < 6) return `${front}??${back.slice(2)}`;
  return kind < 7 ? `${front}*${back}` : hex;
}

function logicalSignature(at: number, random: Random): string {
  const parts = Array.from({ length: 3 }, () => random.bytes(8 + random.below(12)).toString("hex"));
  return `Made.Logical-${at};Engine:51-255,Target:${random.pick([0, 1, 3, 4, 7])};(0&1)|2;${parts.join(";")}`;
}
