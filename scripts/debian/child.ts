import { failure } from "./failure.ts";

/** What a finished child left behind. */
export interface Finished {
  /** Exit code; 128 + signal number when a signal ended it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly argv: readonly string[];
  readonly cwd?: string;
  /** Added to (and winning over) the fixed environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Bytes for standard input; without it standard input is empty. */
  readonly input?: string | Uint8Array;
  /** Milliseconds the child may take; 20,000 unless told. */
  readonly deadline?: number;
}

/** Milliseconds to wait for the end of a dead child's output when a grandchild still holds the pipe. */
const OUTPUT_GRACE = 500;

/** The environment every child starts from: nothing of the caller's own, messages in English. */
export const FIXED_ENV = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
  HOME: "/",
} as const;

/**
 * Gathers a stream as text while it flows.
 * @returns `text()` for what came so far, and `ended`, which resolves at the end of the stream
 */
export function gather(stream: ReadableStream<Uint8Array>): { text(): string; ended: Promise<void> } {
  const decoder = new TextDecoder();
  let text = "";
  const read = async (): Promise<void> => {
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  };
  return { text: () => text, ended: read().catch(() => undefined) };
}

/**
 * Kills a whole process group; one that is gone already is no error.
 * @param group process id of the group's leader
 */
export function killGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // The group has ended by itself.
  }
}

/**
 * Runs a program to its end, without a shell, in a process group of its own.
 * @throws code `CHILD_MISSING` when the program cannot be started, `CHILD_DEADLINE` when it took too long (the
 *   group is then killed and the output so far is in the message)
 */
export async function run(options: RunOptions): Promise<Finished> {
  const { argv, deadline = 20_000 } = options;
  const child = spawnPiped(options);
  const stdout = gather(child.stdout);
  const stderr = gather(child.stderr);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killGroup(child.pid, "SIGKILL");
  }, deadline);
  try {
    const exitCode = await child.exited;
    await Promise.race([Promise.all([stdout.ended, stderr.ended]), Bun.sleep(OUTPUT_GRACE)]);
    if (late) {
      const said = `${stdout.text()}${stderr.text()}`.trim();
      throw failure("CHILD_DEADLINE", `${argv.join(" ")}: not done after ${deadline} ms\n${said}`);
    }
    return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    clearTimeout(timer);
  }
}

function spawnPiped(options: RunOptions) {
  const { argv, cwd, env, input } = options;
  return Bun.spawn(boundArgv(argv), {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...FIXED_ENV, ...env },
    stdin: input === undefined ? "ignore" : new Blob([input]),
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
}

/**
 * The argument vector that runs a program which the kernel kills when this process dies, however it dies.
 * @throws code `CHILD_MISSING` when there is no such program
 */
export function boundArgv(argv: readonly string[]): string[] {
  const program = argv[0] ?? "";
  for (const name of ["setpriv", program]) {
    if (Bun.which(name, { PATH: FIXED_ENV.PATH }) === null) {
      throw failure("CHILD_MISSING", `cannot start ${name}: there is no such program`);
    }
  }
  return ["setpriv", "--pdeathsig", "KILL", "--", ...argv];
}

/**
 * Like {@link run}, but an exit code other than 0 is an error too.
 * @throws code `CHILD_FAILED` with the child's output, and the codes of {@link run}
 */
export async function runWell(options: RunOptions): Promise<Finished> {
  const finished = await run(options);
  if (finished.exitCode !== 0) {
    const said = `${finished.stdout}${finished.stderr}`.trim();
    throw failure("CHILD_FAILED", `${options.argv.join(" ")}: exit code ${finished.exitCode}\n${said}`);
  }
  return finished;
}
