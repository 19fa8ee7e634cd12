/** Compiles the small supervisor of privileges-process.ts, starts it, and looks at its processes from outside. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Rights, readRights } from "../../src/os/capabilities.ts";
import type { Attempts, ChildReport, Plan, Report, SupervisorReport } from "./privileges-plan.ts";

export interface Lab {
  readonly program: string;
  /** An empty directory of root's. */
  readonly jail: string;
  readonly folder: string;
  remove(): Promise<void>;
}

/** @throws Error when the program cannot be compiled */
export function makeLab(): Lab {
  const folder = mkdtempSync(join(tmpdir(), "privileges-"));
  // The user must get at the program and the jail.
  chmodSync(folder, 0o755);
  const jail = join(folder, "jail");
  mkdirSync(jail, { mode: 0o755 });
  const program = join(folder, "program");
  const flags = ["--compile", "--minify", "--bytecode", "--format=esm"];
  const quiet = ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
  const source = join(import.meta.dir, "privileges-process.ts");
  const command = [process.execPath, "build", source, ...flags, ...quiet, "--outfile", program];
  const built = Bun.spawnSync(command, { timeout: 60_000 });
  if (built.exitCode !== 0) throw new Error(`bun build: ${built.stderr.toString()}`);
  return { program, jail, folder, remove: () => rm(folder, { recursive: true }) };
}

/** A supervisor and its children at work. */
export interface Family {
  readonly supervisor: SupervisorReport;
  /** The last one is the one that can be asked. */
  readonly children: readonly ChildReport[];
  /** Has the last child try what hostile code would. */
  attack(victims: readonly number[]): Promise<Attempts>;
  kill(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export const PLAN: Plan = {
  user: "nobody",
  supplementaryGroups: false,
  keepChroot: true,
  jail: null,
  children: 1,
  busy: false,
  deaf: false,
};

/**
 * Starts a family, and waits until every member has told that it is there.
 * @param wrapper a command that starts the program in other circumstances
 */
export async function startFamily(
  lab: Lab,
  plan: Partial<Plan>,
  wrapper: readonly string[] = [],
): Promise<Family> {
  const whole: Plan = { ...PLAN, ...plan };
  const process = Bun.spawn([...wrapper, lab.program, "supervisor", JSON.stringify(whole)], {
    cwd: "/",
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = reports(process.stdout);
  const next = async (): Promise<Report> => {
    const { value } = await lines.next();
    if (value === undefined) throw new Error("the supervisor or a child ended early");
    return value;
  };
  let supervisor: SupervisorReport | undefined;
  const children: ChildReport[] = [];
  while (supervisor === undefined || children.length < whole.children) {
    const report = await next();
    if (report.role === "supervisor") supervisor = report;
    else if (report.role === "child") children.push(report);
  }
  const told = supervisor;
  return {
    supervisor: told,
    children: told.children.flatMap((pid) => children.filter((child) => child.pid === pid)),
    attack: async (victims) => {
      process.stdin.write(`${JSON.stringify(victims)}\n`);
      process.stdin.flush();
      const report = await next();
      if (report.role !== "attack") throw new Error(`unexpected ${report.role}`);
      return report;
    },
    kill: () => process.kill("SIGKILL"),
    [Symbol.asyncDispose]: async () => {
      process.stdin.end();
      await process.exited;
    },
  };
}

async function* reports(stream: ReadableStream<Uint8Array>): AsyncGenerator<Report> {
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + Buffer.from(chunk).toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line);
  }
}

/** The rights of every thread of a process, the main one first, as root sees them in /proc. */
export function rightsOf(pid: number): readonly Rights[] {
  return readdirSync(`/proc/${pid}/task`)
    .map(Number)
    .sort((a, b) => Number(b === pid) - Number(a === pid) || a - b)
    .map((tid) => readRights(readFileSync(`/proc/${pid}/task/${tid}/status`, "latin1")));
}

/** What its open directories are: a way out of the jail. */
export function directoriesOf(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`)
    .map((fd) => `/proc/${pid}/fd/${fd}`)
    .filter((path) => statSync(path).isDirectory())
    .map((path) => readlinkSync(path));
}

/** The port that a process listens on at a descriptor. */
export function portOf(pid: number, fd: number): number {
  const inode = /\d+/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[0];
  const row = readFileSync("/proc/net/tcp", "latin1")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find((columns) => columns[9] === inode);
  return Number.parseInt(row?.[1]?.split(":")[1] ?? "", 16);
}
