import type { LogEvent, LogLevel, LogValue } from "./event.ts";
import { FACILITIES } from "./facilities.ts";
import { harmlessJson, oneLine } from "./text.ts";

/** The form of log lines (`--log-format`). */
export type LogFormat = "text" | "json";

/** Who speaks. */
export interface Speaker {
  readonly program: string;
  readonly pid: number;
}

/** CB 11: what levels look like where there is nothing else to tell them by. */
const PREFIXES: Readonly<Record<LogLevel, string>> = {
  error: "ERROR: ",
  warning: "WARNING: ",
  info: "",
  verbose: "",
};

/** CB 11; the numbers are those of RFC 5424, 6.2.1. */
const SEVERITIES: Readonly<Record<LogLevel, number>> = { error: 3, warning: 4, info: 6, verbose: 7 };

/** The facility for a name that nobody has: clamd's default, LOG_LOCAL6. */
const DEFAULT_FACILITY = 22;

/** A line as programs and files show it, without its end: `PROGRAM: ERROR: …`, or JSON. */
export function logLine(event: LogEvent, at: Date, format: LogFormat, speaker: Speaker): string {
  if (format === "json") return jsonLine(event, at, speaker);
  return `${speaker.program}: ${PREFIXES[event.level]}${oneLine(event.text)}`;
}

/** A datagram for /dev/log, as syslog(3) makes them (RFC 3164): the level is in the priority. */
export function syslogMessage(
  event: LogEvent,
  at: Date,
  format: LogFormat,
  speaker: Speaker,
  facility: string,
): string {
  const priority = (FACILITIES.get(facility) ?? DEFAULT_FACILITY) * 8 + SEVERITIES[event.level];
  const text = format === "json" ? jsonLine(event, at, speaker) : oneLine(event.text);
  return `<${priority}>${ctime(at).slice(4, 19)} ${speaker.program}[${speaker.pid}]: ${text}`;
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Local time as ctime(3) writes it, without the line end: `Sun Nov  2 07:06:59 2025`. */
export function ctime(at: Date): string {
  const two = (number: number, filler: string): string => String(number).padStart(2, filler);
  const day = `${DAYS[at.getDay()]} ${MONTHS[at.getMonth()]} ${two(at.getDate(), " ")}`;
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => two(part, "0")).join(":");
  return `${day} ${time} ${at.getFullYear()}`;
}

/** Bytes of one JSON line: it goes into a pipe in one piece (PIPE_BUF), its end included. */
const MAX_JSON = 4000;
/** Elements of a list that are shown. */
const MAX_LIST = 20;
/** The least that texts are cut to; with the few fields that events have this always fits. */
const SHORTEST = 16;
/** Characters of a text that fit whatever they are: a control character has six bytes. */
const LAST_RESORT = 600;

/** One JSON object: who and when, then the event's fields or, without any, its text. */
function jsonLine(event: LogEvent, at: Date, { program, pid }: Speaker): string {
  const head = { time: at.toISOString(), level: event.level, program, pid };
  const said = event.fields ?? { text: event.text };
  for (let most = MAX_JSON; most >= SHORTEST; most = Math.floor(most / 2)) {
    // What the fields are named comes from a child: they do not take the place of who speaks, and when.
    const line = harmlessJson(JSON.stringify({ ...head, ...shortenedFields(said, most), ...head }));
    if (Buffer.byteLength(line) <= MAX_JSON) return line;
  }
  // More fields than any event of ours has.
  return harmlessJson(JSON.stringify({ ...head, text: shortText(event.text, LAST_RESORT) }));
}

function shortenedFields(fields: Readonly<Record<string, LogValue>>, most: number): object {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, shortened(value, most)]));
}

function shortened(value: LogValue, most: number): unknown {
  if (typeof value === "string") return shortText(value, most);
  if (typeof value !== "object" || value === null) return value;
  if (!Array.isArray(value)) return shortenedFields(value as Readonly<Record<string, LogValue>>, most);
  const shown = Math.max(1, Math.min(MAX_LIST, Math.floor(most / SHORTEST)));
  return value.slice(0, shown).map((text: string) => shortText(text, most));
}

/** Half of a surrogate pair, which no UTF-8 can hold, becomes a replacement character. */
function shortText(text: string, most: number): string {
  return text.length <= most ? text.toWellFormed() : `${text.slice(0, most).toWellFormed()}...`;
}
