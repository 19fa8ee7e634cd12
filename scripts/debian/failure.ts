/** An error with a stable code, for callers that decide by it, and a message for whoever reads the terminal. */
export interface Failure extends Error {
  readonly code: string;
}

/**
 * Makes an error that carries a stable code.
 * @param code upper-case name that never changes, e.g. `OFFLINE`
 * @param message what went wrong and what to do about it
 */
export function failure(code: string, message: string): Failure {
  return Object.assign(new Error(message), { code });
}

/** Tells whether a caught value is a {@link Failure} with this code. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
