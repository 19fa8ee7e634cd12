import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { keepFinding } from "./corpus.ts";
import { execution } from "./hunt.ts";
import { oversee, type RunResult } from "./oversee.ts";
import { TARGETS, targetNamed } from "./targets.ts";

const HELP = `scripts/fuzz [OPTION...]
Feeds every part of the program that reads what others write with what they might write.
Ends with status 1 when something was found, else 0.

  --seconds N     for each target (600)
  --executions N  for each target at most: the same number does the same
  --seed N        where chance begins (1)
  --target NAME   only this target; may be given several times
  --jobs N        targets at the same time (1)
  --findings DIR  where findings are kept (dist/fuzz)
  --repeat FILE   feeds this input to the one target given
  --list          names the targets
`;

interface Plan {
  readonly names: readonly string[];
  readonly seconds: number;
  readonly executions: number;
  readonly seed: number;
  readonly jobs: number;
  readonly findings: string;
}

async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seconds: { type: "string", default: "600" },
      executions: { type: "string", default: String(Number.MAX_SAFE_INTEGER) },
      seed: { type: "string", default: "1" },
      target: { type: "string", multiple: true, default: [] },
      jobs: { type: "string", default: "1" },
      findings: { type: "string", default: join(import.meta.dir, "../../dist/fuzz") },
      repeat: { type: "string" },
      list: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return say(HELP.trimEnd());
  if (values.list) return say(TARGETS.map(({ name, about }) => `${name.padEnd(20)}${about}`).join("\n"));
  const names = values.target.length > 0 ? values.target : TARGETS.map(({ name }) => name);
  const unknown = names.find((name) => targetNamed(name) === null);
  if (unknown !== undefined) throw new Error(`there is no target "${unknown}"; see --list`);
  if (values.repeat !== undefined) return repeat(names, values.repeat);
  return run({
    names,
    seconds: number("seconds", values.seconds),
    executions: number("executions", values.executions),
    seed: number("seed", values.seed),
    jobs: number("jobs", values.jobs),
    findings: values.findings,
  });
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new Error(`--${name}: expected a number`);
  return value;
}

async function repeat(names: readonly string[], file: string): Promise<number> {
  const target = names.length === 1 ? targetNamed(names[0] ?? "") : null;
  if (target === null) throw new Error("--repeat needs one --target");
  const { words, fault } = await execution(target, readFileSync(file));
  say(fault === null ? `nothing is wrong: ${words}` : fault);
  return fault === null ? 0 : 1;
}

async function run(plan: Plan): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "clamav-milter-fuzz-"));
  const waiting = [...plan.names];
  let found = 0;
  say(`${"target".padEnd(20)}${COLUMNS.map((name) => name.padStart(13)).join("")}`);
  const work = async (): Promise<void> => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      const { seed, executions, seconds } = plan;
      const result = await oversee({ target, seed, executions, time: seconds * 1000 }, folder);
      say(line(target, seed, result));
      for (const finding of result.findings) {
        found++;
        say(`  ${finding.what}\n    ${keepFinding(plan.findings, target, seed, finding)}`);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.max(1, plan.jobs) }, work));
  } finally {
    rmSync(folder, { recursive: true });
  }
  say(`${plan.names.length} targets, ${found} findings`);
  return found === 0 ? 0 : 1;
}

const COLUMNS = ["executions", "a second", "inputs kept", "MB", "seed", "findings"];

function line(target: string, seed: number, result: RunResult): string {
  const { executions, time, kept, megabytes, findings } = result;
  const rate = Math.round((executions * 1000) / Math.max(1, time));
  const numbers = [executions, rate, kept, megabytes, seed, findings.length];
  return `${target.padEnd(20)}${numbers.map((each) => String(each).padStart(13)).join("")}`;
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`scripts/fuzz: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 64;
}
