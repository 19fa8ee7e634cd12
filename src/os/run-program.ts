/** What a program that has ended left behind. */
export interface ProgramEnd {
  /** Null when a signal ended it. */
  readonly status: number | null;
  /** Standard output, as one character a byte. */
  readonly output: string;
  readonly errors: string;
}

/**
 * Runs a program to its end: an argument vector, no shell, nothing of our environment, nothing to read.
 * @param deadline milliseconds; then it is killed
 * @param most bytes of its output that are kept
 * @throws Error when it cannot be started or does not end in time
 */
export async function runProgram(
  argv: readonly string[],
  deadline: number,
  most = 65_536,
): Promise<ProgramEnd> {
  const child = Bun.spawn([...argv], {
    cwd: "/",
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    child.kill("SIGKILL");
    late.reject(new Error(`${argv[0]} has not ended within ${deadline / 1000} s`));
  }, deadline);
  try {
    const texts = Promise.all([textOf(child.stdout, most), textOf(child.stderr, most)]);
    // What it has started may hold the pipes longer than it lives itself.
    const [[output, errors]] = await Promise.race([Promise.all([texts, child.exited]), late.promise]);
    return { status: child.signalCode === null ? child.exitCode : null, output, errors };
  } finally {
    clearTimeout(timer);
  }
}

async function textOf(stream: ReadableStream<Uint8Array>, most: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of stream) {
    if (length < most) pieces.push(piece.subarray(0, most - length));
    length += piece.length;
  }
  return Buffer.concat(pieces).toString("latin1");
}
