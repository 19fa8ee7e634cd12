import { StartError } from "../../src/cli/start-error.ts";

/** Runs what must fail and returns its error; anything else than a StartError is passed on. */
export function startFailure(attempt: () => unknown): StartError {
  let result: unknown;
  try {
    result = attempt();
  } catch (error) {
    if (error instanceof StartError) return error;
    throw error;
  }
  throw new Error(`expected a failure, but got ${JSON.stringify(result)}`);
}
