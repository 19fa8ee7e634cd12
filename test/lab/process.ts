import { existsSync, readFileSync } from "node:fs";
import { boundArgv, FIXED_ENV, gather, killGroup, type RunOptions, run } from "../../scripts/debian/child.ts";
import { failure } from "../../scripts/debian/failure.ts";
import { hopeless } from "./wait.ts";

export { type Finished, type RunOptions, run, runWell } from "../../scripts/debian/child.ts";

/** A program a lab keeps running. */
export interface LabProcess {
  /** Process id of the program itself, or of the keeper of its namespaces. */
  readonly pid: number;
  readonly name: string;
  /** Everything it wrote to standard output and standard error so far. */
  output(): string;
  /** Standard output alone. */
  stdout(): string;
  running(): boolean;
  /** Exit code once it has ended; 128 + signal number for a signal. */
  readonly exited: Promise<number>;
  signal(signal: NodeJS.Signals): void;
  /** Ends it and all its children and waits for that: TERM first, KILL after `grace` milliseconds (5,000). */
  stop(grace?: number): Promise<void>;
  /** @throws code `HOPELESS` with the output when it has ended: for use in a condition that is polled */
  demandRunning(): void;
}

export interface StartOptions {
  /** For messages. */
  readonly name: string;
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const GRACE = 5_000;
/** Milliseconds for the rest of a dead program's output, should a child of it still hold the pipe. */
const LAST_WORDS = 500;
const DESCRIPTORS = 4_096;

/**
 * Starts a program in a process group of its own, which the kernel kills when this process dies, however it dies.
 * @throws code `CHILD_MISSING` when it cannot be started
 */
export function startProcess(options: StartOptions): LabProcess {
  const { name, argv, env, cwd } = options;
  const child = Bun.spawn(boundArgv(argv), {
    env: { ...FIXED_ENV, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  const stdout = gather(child.stdout);
  const stderr = gather(child.stderr);
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  const output = (): string => stdout.text() + stderr.text();
  let ended = false;
  // The last words of a program are worth waiting for: they tell why it ended.
  const exited = child.exited.then(async (code) => {
    await Promise.race([Promise.all([stdout.ended, stderr.ended]), Bun.sleep(LAST_WORDS)]);
    ended = true;
    return code;
  });
  const end = async (grace: number): Promise<void> => {
    await endGroup(child.pid, child.exited, running(), grace);
    await exited;
  };
  let ending: Promise<void> | undefined;
  // Once only: later the number may be that of somebody else's process group.
  const stop = (grace = GRACE): Promise<void> => {
    ending ??= end(grace);
    return ending;
  };
  return {
    pid: child.pid,
    name,
    output,
    stdout: stdout.text,
    running,
    exited,
    signal: (signal) => {
      if (running()) child.kill(signal);
    },
    stop,
    demandRunning: () => {
      if (ended) throw hopeless(`${name} ended with code ${child.exitCode ?? child.signalCode}\n${output()}`);
    },
  };
}

/**
 * Ends a process group whose leader may have ended by itself.
 * @param grace milliseconds between TERM and KILL
 */
async function endGroup(pid: number, exited: Promise<number>, alive: boolean, grace: number): Promise<void> {
  if (alive) {
    killGroup(pid, "SIGTERM");
    const timer = setTimeout(() => killGroup(pid, "SIGKILL"), grace);
    await exited;
    clearTimeout(timer);
  }
  // What the leader left behind goes too; a new process of the leader's number would be somebody else's.
  if (!existsSync(`/proc/${pid}`)) killGroup(pid, "SIGKILL");
}

/** A program in namespaces of its own: nothing it starts outlives it, nothing it mounts is seen outside. */
export interface NamespacedProcess extends LabProcess {
  /** Runs a command in the same namespaces to its end. */
  inside(options: RunOptions): ReturnType<typeof run>;
  /** The argument vector that runs a command in the same namespaces. @throws code `NOT_RUNNING` */
  enter(argv: readonly string[]): string[];
}

export interface NamespacedOptions extends StartOptions {
  /** Shell text run as root of the namespaces before the program; `$1`, `$2` … are `arguments`. */
  readonly setup: string;
  readonly arguments: readonly string[];
}

/**
 * Starts a program in new process, mount and host name namespaces. A shell is process 1 in there: when it dies the
 * kernel kills all that is left, and the mounts go with the last process. Needs root.
 * @throws code `NOT_ROOT`, `CHILD_MISSING`
 */
export function startNamespaced(options: NamespacedOptions): NamespacedProcess {
  if (process.getuid?.() !== 0) throw failure("NOT_ROOT", `${options.name}: private mounts need root`);
  const count = options.arguments.length;
  // Mail servers close every descriptor they could have: with a limit of a million that takes seconds.
  const script = `set -e\nulimit -n ${DESCRIPTORS}\n${options.setup}\nshift ${count}\n"$@" &\nwait $!`;
  const spaces = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--mount", "--uts", "--"];
  const argv = [...spaces, "sh", "-c", script, options.name, ...options.arguments, ...options.argv];
  const keeper = startProcess({ ...options, argv });
  const stop = async (): Promise<void> => {
    const first = firstChild(keeper.pid);
    // The end of process 1 is reported only after everything in its namespace is gone; killing the keeper
    // instead would return before that.
    if (keeper.running() && first !== undefined) process.kill(first, "SIGKILL");
    await keeper.stop();
  };
  const enter = (wanted: readonly string[]): string[] => {
    const first = firstChild(keeper.pid);
    if (first === undefined)
      throw failure("NOT_RUNNING", `${options.name} is not running\n${keeper.output()}`);
    return ["nsenter", "--target", String(first), "--mount", "--uts", "--pid", "--", ...wanted];
  };
  return { ...keeper, stop, enter, inside: (wanted) => run({ ...wanted, argv: enter(wanted.argv) }) };
}

/** The child of a namespace keeper: process 1 of the namespace, by its number outside. */
function firstChild(parent: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim();
    const [first] = text.split(" ");
    return first === undefined || first === "" ? undefined : Number(first);
  } catch {
    return undefined;
  }
}
