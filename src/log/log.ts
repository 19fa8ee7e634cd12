import { type ConsolaInstance, createConsola, type LogObject } from "consola";
import type { LogEvent, LogFields, LogLevel, LogSink } from "./event.ts";

export type { LogLevel } from "./event.ts";

/** Where the program tells what it does. Never throws and never waits. */
export type Log = (level: LogLevel, text: string, fields?: LogFields) => void;

/** A log whose sinks can be exchanged. */
export interface SinkLog {
  readonly log: Log;
  /** What is told from now on goes there. */
  setSinks(sinks: readonly LogSink[]): void;
  /** Whether the entries of LogVerbose are shown from now on. */
  setVerbose(verbose: boolean): void;
}

/** consola's numbers for its levels. */
const SHOWN = { verbose: 4, normal: 3 };

/** A log over consola: every sink is one of its reporters. */
export function createLog(verbose: boolean, sinks: readonly LogSink[]): SinkLog {
  const consola = createConsola({
    level: levelOf(verbose),
    // Equal entries within a second are events of their own here: a mail each.
    throttle: 0,
    throttleMin: Number.POSITIVE_INFINITY,
    reporters: sinks.map(reporterOf),
  });
  return {
    log: (level, text, fields) =>
      dispatch(consola, fields === undefined ? { level, text } : { level, text, fields }),
    setVerbose: (shown) => {
      consola.level = levelOf(shown);
    },
    setSinks: (others) => void consola.setReporters(others.map(reporterOf)),
  };
}

function levelOf(verbose: boolean): number {
  return verbose ? SHOWN.verbose : SHOWN.normal;
}

function reporterOf(sink: LogSink): { log(entry: LogObject): void } {
  return { log: (entry) => sink.write(entry.args[0] as LogEvent, entry.date) };
}

/** The raw ways of consola, which look for nothing in what they pass on. */
function dispatch(consola: ConsolaInstance, event: LogEvent): void {
  if (event.level === "error") consola.error.raw(event);
  else if (event.level === "warning") consola.warn.raw(event);
  else if (event.level === "info") consola.info.raw(event);
  else consola.debug.raw(event);
}
