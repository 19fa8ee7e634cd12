import type { AppendedFile, Output } from "../os/log-output.ts";
import type { LogEvent, OpenSink } from "./event.ts";
import { ctime } from "./render.ts";
import { WholeLines } from "./whole-lines.ts";

/** An event as one line, without its end. */
export type LineOf = (event: LogEvent, at: Date) => string;

/** The event that says how much a log lacks. */
export function lostEvent(lost: number): LogEvent {
  const text = `${lost} ${lost === 1 ? "line was" : "lines were"} lost here`;
  return { level: "warning", text };
}

/** Standard error: a reader that is slow or gone costs lines, nothing else. */
export function standardErrorSink(output: Output, lineOf: LineOf): OpenSink {
  const lines = new WholeLines(output, (lost) => lineOf(lostEvent(lost), new Date()));
  return { write: (event, at) => lines.write(lineOf(event, at)), close: () => lines.close() };
}

/** What a log file needs to know of the settings. */
export interface FileRules {
  /** LogFileMaxSize in bytes; 0: no limit. */
  readonly maxSize: number;
  /** LogTime in a text log: `<ctime> -> ` in front of each line (CB 2.2). */
  readonly timePrefix: boolean;
}

/** A log file: whole lines, one write each, never locked. */
export class FileSink implements OpenSink {
  readonly #file: AppendedFile;
  readonly #rules: FileRules;
  readonly #lineOf: LineOf;
  readonly #lines: WholeLines;
  #unwritten = 0;

  constructor(file: AppendedFile, rules: FileRules, lineOf: LineOf) {
    this.#file = file;
    this.#rules = rules;
    this.#lineOf = (event, at) => (rules.timePrefix ? `${ctime(at)} -> ` : "") + lineOf(event, at);
    this.#lines = new WholeLines(file, (lost) => this.#lineOf(lostEvent(lost), new Date()));
  }

  /** Lines that were not written and of which the file does not tell: also those after it was full. */
  get lost(): number {
    return this.#unwritten + this.#lines.lost;
  }

  write(event: LogEvent, at: Date): void {
    if (this.#unwritten > 0) {
      this.#unwritten++;
    } else if (this.#isFull()) {
      // As in CB 2.2 for good: until the log is opened anew.
      this.#unwritten = 1;
      const text = `LogFileMaxSize (${this.#rules.maxSize} bytes) is exceeded: nothing more is logged here`;
      this.#lines.write(this.#lineOf({ level: "warning", text }, at));
    } else {
      this.#lines.write(this.#lineOf(event, at));
    }
  }

  close(): void {
    this.#lines.close();
  }

  /** The limit is for a file that we alone write: a clamd that has it locked keeps to its own (decisions 2). */
  #isFull(): boolean {
    const { maxSize } = this.#rules;
    if (maxSize === 0) return false;
    try {
      return this.#file.size() > maxSize && this.#file.lockHolder() === null;
    } catch {
      return false;
    }
  }
}
