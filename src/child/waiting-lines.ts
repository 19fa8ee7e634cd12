import type { LogLine } from "../ipc/messages.ts";
import type { LogFields, LogLevel } from "../log/event.ts";

/** Log lines kept while there is no keeper; later ones are counted. */
const KEPT_LINES = 1000;
/** Characters of one line. */
const LINE_LENGTH = 16_000;
/** Lines that travel together, so that no message grows over the channel's bound. */
const PORTION = 10;

/** A child's log lines on their way to the keeper, who writes them. */
export class WaitingLines {
  #lines: LogLine[] = [];
  #lost = 0;

  /** @returns whether somebody must take them: true once until they are taken */
  add(level: LogLevel, text: string, fields?: LogFields): boolean {
    if (this.#lines.length >= KEPT_LINES) {
      this.#lost++;
      return false;
    }
    const line = { level, text: text.slice(0, LINE_LENGTH) };
    this.#lines.push(fields === undefined ? line : { ...line, fields });
    return this.#lines.length === 1;
  }

  /** All that wait, in portions, and how many were lost. */
  take(): LogLine[][] {
    const lines = this.#lines;
    if (this.#lost > 0) lines.push({ level: "warning", text: `${this.#lost} log lines were lost` });
    this.#lines = [];
    this.#lost = 0;
    const portions: LogLine[][] = [];
    for (let at = 0; at < lines.length; at += PORTION) portions.push(lines.slice(at, at + PORTION));
    return portions;
  }
}
