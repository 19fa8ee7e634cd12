import { type ConsolaInstance, createConsola, type LogObject } from "consola";
import { oneLine } from "./text.ts";

/** How much an entry matters; `verbose` is shown with LogVerbose only. */
export type LogLevel = "error" | "warning" | "info" | "verbose";

/** Where the program tells what it does. */
export type Log = (level: LogLevel, text: string) => void;

/** Writes one whole line. */
export type LineSink = (line: string) => void;

const PREFIXES: Readonly<Record<LogLevel, string>> = {
  error: "ERROR: ",
  warning: "WARNING: ",
  info: "",
  verbose: "",
};

/**
 * A log over consola. Every entry is one line: what mail, an MTA or a clamd says cannot end it or move the
 * cursor.
 */
export function createLog(program: string, verbose: boolean, sink: LineSink): Log {
  const consola = createConsola({
    level: verbose ? 4 : 3,
    // Equal entries within a second are events of their own here: a mail each.
    throttle: 0,
    throttleMin: Number.POSITIVE_INFINITY,
    reporters: [{ log: (entry: LogObject) => sink(`${program}: ${entry.args.join(" ")}\n`) }],
  });
  return (level, text) => write(consola, level, PREFIXES[level] + oneLine(text));
}

function write(consola: ConsolaInstance, level: LogLevel, line: string): void {
  if (level === "error") consola.error(line);
  else if (level === "warning") consola.warn(line);
  else if (level === "info") consola.info(line);
  else consola.debug(line);
}
