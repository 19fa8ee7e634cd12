import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { raiseFileLimit } from "../../src/os/libc.ts";
import type { Bench } from "./bench.ts";
import { writeBenchDatabase } from "./database.ts";
import { type Generator, startGenerator } from "./generator.ts";
import { type BenchOptions, parseOptions, type Section, USAGE } from "./options.ts";
import { measureIdle } from "./section-idle.ts";
import { measureMemory } from "./section-memory.ts";
import { measureRates } from "./section-rates.ts";
import { measureStart } from "./section-start.ts";

/** Exit status of sysexits.h for wrong use. */
const USE = 64;
/** Exit status after a signal: 128 and its number. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Measures what is asked for. @returns 1 when a verdict was wrong */
async function main(words: readonly string[]): Promise<number> {
  if (words.includes("--help") || words.includes("-h")) {
    console.log(USAGE);
    return 0;
  }
  let options: BenchOptions;
  try {
    options = parseOptions(words);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return USE;
  }
  // The servers inherit it: with fewer files an idle connexion could not be had at all.
  raiseFileLimit();
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  chmodSync(folder, 0o755);
  // Every program started dies with this process: the kernel sees to it, so that only the folder is left to do.
  for (const [signal, status] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      rmSync(folder, { recursive: true, force: true });
      process.exit(status);
    });
  }
  let generator: Generator | null = null;
  try {
    generator = await startGenerator();
    return await measure(options, folder, generator);
  } finally {
    await generator?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(options: BenchOptions, folder: string, generator: Generator): Promise<number> {
  const begun = performance.now();
  const results: Record<string, unknown> = {};
  const errors: string[] = [];
  const bench: Bench = {
    options,
    folder,
    generator,
    database: writeBenchDatabase(join(folder, "database"), options.signatures),
    say: (line) => console.log(line),
    keep: (section, figures) => {
      results[section] = figures;
    },
    wrong: (where, count, first) => {
      if (count > 0) errors.push(`${where}: ${count} wrong${first === null ? "" : `, the first: ${first}`}`);
    },
  };
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? "?"}`;
  bench.say(`${machine}, ${options.signatures} signatures, ${options.rounds} rounds`);
  for (const section of options.sections) await measureSection(bench, section);
  const seconds = Math.round((performance.now() - begun) / 1000);
  for (const error of errors) bench.say(error);
  bench.say(`\n${seconds} s, ${errors.length === 0 ? "every verdict was right" : "WRONG VERDICTS"}`);
  if (options.json !== null) {
    const record = { machine, date: new Date().toISOString(), seconds, options, errors, results };
    writeFileSync(options.json, `${JSON.stringify(record, undefined, 1)}\n`);
  }
  return errors.length === 0 ? 0 : 1;
}

async function measureSection(bench: Bench, section: Section): Promise<void> {
  if (section === "start") await measureStart(bench);
  else if (section === "idle") await measureIdle(bench);
  else if (section === "memory") await measureMemory(bench);
  // The scan section measures clamd without a filter, too.
  else if (section !== "direct" || !bench.options.sections.includes("scan"))
    await measureRates(bench, section);
}

process.exitCode = await main(process.argv.slice(2));
