import { type ConsolaInstance, createConsola, type LogObject } from "consola";

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
/** No entry is longer, whatever came from outside. */
const MAX_ENTRY = 8192;

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

/** Control characters as `\xNN`, and a length that ends. */
export function oneLine(text: string): string {
  const safe = text.replaceAll(
    /[\0-\x1f\x7f-\x9f\u2028\u2029]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return safe.length <= MAX_ENTRY ? safe : `${safe.slice(0, MAX_ENTRY)}...`;
}

/**
 * A "binary" string from the wire as text: UTF-8 where it is, else with every byte that is not ASCII as `\xNN`.
 */
export function wireText(binary: string): string {
  if (!/[\x80-\xff]/.test(binary)) return binary;
  const bytes = Buffer.from(binary, "latin1");
  const text = bytes.toString("utf8");
  if (!text.includes("\ufffd")) return text;
  return binary.replaceAll(/[\x80-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
}
