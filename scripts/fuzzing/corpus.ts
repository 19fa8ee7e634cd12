import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Finding } from "./hunt.ts";

/** Inputs that every run begins with: a folder for each target. */
export const CORPUS = join(import.meta.dir, "../../test/corpus");

/** An input of the corpus. */
export interface Kept {
  readonly file: string;
  readonly input: Uint8Array;
}

/** The corpus of a target, in the order of the names. */
export function corpusOf(target: string): readonly Kept[] {
  const folder = join(CORPUS, target);
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).sort();
  return files.map((file) => ({ file, input: readFileSync(join(folder, file)) }));
}

/** Keeps a finding, with a text beside it that says what it is. Answers its path. */
export function keepFinding(folder: string, target: string, seed: number, finding: Finding): string {
  mkdirSync(folder, { recursive: true });
  const name = `${target}-${seed}-${Bun.hash.crc32(finding.input).toString(16).padStart(8, "0")}`;
  const path = join(folder, `${name}.input`);
  writeFileSync(path, finding.input);
  const about = {
    target,
    seed,
    execution: finding.execution,
    bytes: finding.input.length,
    what: finding.what,
    again: `scripts/fuzz --target ${target} --repeat ${path}`,
  };
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(about, null, 2)}\n`);
  return path;
}
