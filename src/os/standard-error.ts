import { writeSync } from "node:fs";

const STANDARD_ERROR = 2;

/** Writes a whole line to standard error. A reader that is gone or does not read costs the line, nothing else. */
export function writeStandardError(line: string): void {
  try {
    writeSync(STANDARD_ERROR, line);
  } catch {
    // EPIPE or EAGAIN: there is nowhere left to say so.
  }
}
