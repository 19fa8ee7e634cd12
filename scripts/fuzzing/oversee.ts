import { join } from "node:path";
import type { Finding, HuntResult } from "./hunt.ts";
import { makeProgressFile, progressReader } from "./progress.ts";

/** One target's run. */
export interface RunOrder {
  readonly target: string;
  readonly seed: number;
  readonly executions: number;
  /** Milliseconds. */
  readonly time: number;
  /** One execution that takes longer is not waited for. Milliseconds. */
  readonly patience?: number;
}

export interface RunResult extends HuntResult {
  /** The most memory that the process had. */
  readonly megabytes: number;
}

/** Unless something else is said. */
const PATIENCE = 20_000;
const LOOK_INTERVAL = 500;

/**
 * Has a process of its own fuzz a target: one that dies or hangs is a finding like others.
 * @param folder for what is temporary
 */
export async function oversee(order: RunOrder, folder: string): Promise<RunResult> {
  const { target, seed, executions, time, patience = PATIENCE } = order;
  const file = join(folder, `${target}.progress`);
  makeProgressFile(file);
  const look = progressReader(file);
  const begun = performance.now();
  const worker = Bun.spawn(
    [
      process.execPath,
      join(import.meta.dir, "worker.ts"),
      target,
      ...[seed, executions, time].map(String),
      file,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let hung = false;
  let count = 0;
  let since = performance.now();
  const timer = setInterval(() => {
    const now = look().count;
    if (now !== count) since = performance.now();
    count = now;
    if (performance.now() - since < patience) return;
    hung = true;
    worker.kill("SIGKILL");
  }, LOOK_INTERVAL);
  const [said, status] = await Promise.all([new Response(worker.stdout).text(), worker.exited]);
  clearInterval(timer);
  if (status === 0) return decoded(said);
  const progress = look();
  const what = hung
    ? `hang: no end after ${patience / 1000} s`
    : `the process ended with ${worker.signalCode ?? status}`;
  const finding: Finding = { what, input: progress.input, execution: progress.count };
  const past = performance.now() - begun;
  return { executions: progress.count, time: past, kept: 0, findings: [finding], megabytes: 0 };
}

function decoded(said: string): RunResult {
  const result = JSON.parse(said) as Omit<RunResult, "findings"> & {
    findings: (Omit<Finding, "input"> & { input: string })[];
  };
  const findings = result.findings.map((each) => ({ ...each, input: Buffer.from(each.input, "base64") }));
  return { ...result, findings };
}
