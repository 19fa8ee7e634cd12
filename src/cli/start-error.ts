/**
 * Exit statuses of the program, with the names and values of BSD's sysexits.h
 * (decisions 1; CB 1).
 */
export const EXIT = {
  USAGE: 64,
  NOINPUT: 66,
  UNAVAILABLE: 69,
  SOFTWARE: 70,
  OSERR: 71,
  CANTCREAT: 73,
  TEMPFAIL: 75,
  NOPERM: 77,
  CONFIG: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * Something that keeps the program from starting. `code` is stable (for tests and scripts), `exitCode` is
 * the status to exit with, `message` says in one line which option or directive is concerned and what was
 * expected; the caller puts the program's name in front (see {@link startErrorText}).
 */
export class StartError extends Error {
  readonly code: string;
  readonly exitCode: ExitCode;

  constructor(code: string, exitCode: ExitCode, message: string) {
    // Parts of a message come from outside: it must stay one line, and harmless to a terminal.
    super(message.replace(/[\x00-\x1f\x7f-\x9f]/g, "?"));
    this.name = "StartError";
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** The line for standard error, without line end. */
export function startErrorText(error: StartError): string {
  return `clamav-milter: ${error.message}`;
}
