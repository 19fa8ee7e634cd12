import { failure } from "../../scripts/debian/failure.ts";

export interface UntilOptions {
  /** Milliseconds to wait at most; 20,000 unless told. */
  readonly deadline?: number;
  /** What is awaited, for the message: "clamd to answer PING". */
  readonly what: string;
  /** Told in the message when the deadline passes: logs, states. */
  readonly detail?: () => string;
}

/** Milliseconds a lab gives its program unless told otherwise. */
export const DEFAULT_DEADLINE = 20_000;

const PAUSE = 10;

/**
 * Polls a condition until it gives something other than `undefined` or `false`.
 * @returns what the condition gave
 * @throws code `WAITED_TOO_LONG`, with the last error of the condition and the detail; a condition that throws
 *   counts as not fulfilled yet, except when its error has the code `HOPELESS`
 */
export async function until<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  options: UntilOptions,
): Promise<T> {
  const { deadline = DEFAULT_DEADLINE, what, detail } = options;
  const end = performance.now() + deadline;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "HOPELESS") throw error;
      last = error;
    }
    await Bun.sleep(PAUSE);
  }
  const why = last === undefined ? "" : `\nlast error: ${String(last)}`;
  throw failure("WAITED_TOO_LONG", `waited ${deadline} ms for ${what}${why}\n${detail?.() ?? ""}`);
}

/** An error that ends {@link until} at once: what is awaited cannot come any more. */
export function hopeless(message: string): Error {
  return failure("HOPELESS", message);
}

/**
 * Waits for a line in a log that grows: mail servers answer first and log afterwards.
 * @returns the first line that matches
 * @throws code `WAITED_TOO_LONG` with the whole log
 */
export function lineOf(log: () => string, pattern: RegExp, deadline = DEFAULT_DEADLINE): Promise<string> {
  const find = (): string | undefined =>
    log()
      .split("\n")
      .find((line) => pattern.test(line));
  return until(find, { deadline, what: `a line like ${pattern}`, detail: log });
}
