import type { GivenOptions } from "../cli/command-line.ts";
import { optionLabel } from "../cli/option-spec.ts";
import { OPTIONS } from "../cli/options.ts";
import { EXIT, StartError } from "../cli/start-error.ts";

/**
 * Refuses what this version cannot do yet, so that nobody believes in a protection that is not there.
 * Comes after all other tests, which have their own exit statuses.
 *
 * @throws StartError `NOT_AVAILABLE` (69)
 */
export function refuseUnbuilt(options: GivenOptions): void {
  const { values } = options;
  for (const option of OPTIONS) {
    if (!option.built && values[option.long] !== undefined)
      throw notAvailable(`${optionLabel(option)}: not available yet`);
  }
}

function notAvailable(message: string): StartError {
  return new StartError("NOT_AVAILABLE", EXIT.UNAVAILABLE, message);
}
