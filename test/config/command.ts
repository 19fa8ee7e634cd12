import { parseCommandLine } from "../../src/cli/command-line.ts";
import type { RunCommandLine } from "../../src/config/settings.ts";

/** The command line in one text, words parted by blanks; it must be one that starts the program. */
export function command(text: string): RunCommandLine {
  const line = parseCommandLine(text.split(" "));
  if (line.action !== "run") throw new Error(`"${text}" does not start the program`);
  return line;
}
