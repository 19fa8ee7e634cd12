import { posix } from "node:path";
import type { SocketAddress } from "../cli/socket-address.ts";
import { EXIT, StartError } from "../cli/start-error.ts";
import { MESSAGE_BUDGET, PROGRESS_INTERVAL } from "../scan/budget.ts";

/** Seconds that sendmail waits for a filter: `S` to send to it, `R` for its answer, `E` for a message's verdict. */
export type FilterTimeout = "S" | "R" | "E";

/** A mail filter as an `X` line of sendmail.cf defines it. */
export interface CfFilter {
  readonly name: string;
  /** The value of `S=`, null when it is missing. */
  readonly socket: string | null;
  /** The value of `F=`, "" when it is missing. */
  readonly flags: string;
  /** Seconds, from `T=`; what is not there has sendmail's default. */
  readonly timeouts: Readonly<Partial<Record<FilterTimeout, number>>>;
}

/** What sendmail.cf says about mail filters. */
export interface SendmailCf {
  readonly filters: readonly CfFilter[];
  /** Names of the filters that are called: InputMailFilters, of the whole program or of one of its ports. */
  readonly called: ReadonlySet<string>;
}

/** One sendmail.cf, and how to compare paths in it with ours. */
export interface CfCheck {
  readonly file: string;
  readonly text: string;
  /** Unix sockets, at least one of which must be named. */
  readonly sockets: readonly SocketAddress[];
  /** The path that symbolic links lead to; the path itself when there is no such directory. */
  readonly realPath: (path: string) => string;
}

/** An answer may be late by as much as the progress messages are apart. */
const ANSWER_SECONDS = (2 * PROGRESS_INTERVAL) / 1000;
const NEEDED: Readonly<Record<FilterTimeout, number>> = {
  S: ANSWER_SECONDS,
  R: ANSWER_SECONDS,
  E: MESSAGE_BUDGET / 1000,
};
const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
/** More would make the message unreadable. */
const MOST_SHOWN = 8;

/**
 * Compares sendmail.cf with our socket addresses (man page, `--sendmail-cf`; decisions 7).
 *
 * @returns what the administrator should know, though it does not keep the program from starting
 * @throws StartError `SENDMAIL_CF` (78) when the file names filters, but none at one of our sockets
 */
export function checkSendmailCf({ file, text, sockets, realPath }: CfCheck): readonly string[] {
  const { filters, called } = parseSendmailCf(text);
  if (filters.length === 0) return [`${file}: names no mail filter, so this sendmail will not call this one`];
  const real = (path: string): string => realPath(posix.normalize(path));
  const paths = new Set(sockets.flatMap((socket) => (socket.kind === "unix" ? [real(socket.path)] : [])));
  const ours = filters.filter(({ socket }) => {
    const path = unixPath(socket);
    return path !== null && paths.has(real(path));
  });
  if (ours.length === 0) throw disagreement(file, filters, sockets);
  return ours.flatMap((filter) => filterWarnings(filter, called).map((warning) => `${file}: ${warning}`));
}

/**
 * Reads the `X` lines and InputMailFilters of a sendmail.cf. Fields count by their first letter, as for sendmail;
 * what sendmail itself would complain about is left out.
 */
export function parseSendmailCf(text: string): SendmailCf {
  const filters: CfFilter[] = [];
  const called = new Set<string>();
  for (const line of logicalLines(text)) {
    const filter = line.startsWith("X") ? parseFilter(line.slice(1)) : null;
    if (filter !== null) filters.push(filter);
    for (const name of calledFilters(line)) called.add(name);
  }
  return { filters, called };
}

/** Lines without comments, each with the lines that continue it: those that begin with white space. */
function logicalLines(text: string): readonly string[] {
  const lines: string[] = [];
  let inComment = false;
  for (const line of text.split(/\r?\n/)) {
    const continues = /^[ \t]/.test(line) && (lines.length > 0 || inComment);
    if (!continues) inComment = line.startsWith("#");
    if (inComment) continue;
    // `$#` is no comment, and a backslash makes the sign an ordinary one.
    const bare = line.replace(/(?<![$\\])#.*$/s, "").replaceAll("\\#", "#");
    if (continues) lines.push(`${lines.pop() ?? ""} ${bare}`);
    else lines.push(bare);
  }
  return lines;
}

function parseFilter(text: string): CfFilter | null {
  const [name = "", ...fields] = partsOf(text, ",");
  if (name === "") return null;
  const value = (letter: string): string | null => {
    const field = fields.findLast((each) => each.startsWith(letter) && each.includes("="));
    return field === undefined ? null : field.slice(field.indexOf("=") + 1).trim();
  };
  return { name, socket: value("S"), flags: value("F") ?? "", timeouts: parseTimeouts(value("T") ?? "") };
}

/** Splits at a sign that stands outside of quotation marks, which themselves are taken away. */
function partsOf(text: string, sign: string): readonly string[] {
  const parts = [""];
  let quoted = false;
  for (const letter of text) {
    if (letter === '"') quoted = !quoted;
    else if (letter === sign && !quoted) parts.push("");
    else parts.push((parts.pop() ?? "") + letter);
  }
  return parts.map((part) => part.trim());
}

function parseTimeouts(text: string): CfFilter["timeouts"] {
  const timeouts: Partial<Record<FilterTimeout, number>> = {};
  for (const part of text.split(";").map((each) => each.trim())) {
    const letter = part.slice(0, 1);
    const seconds = part.includes(":") ? secondsOf(part.slice(part.indexOf(":") + 1)) : null;
    if ((letter === "S" || letter === "R" || letter === "E") && seconds !== null) timeouts[letter] = seconds;
  }
  return timeouts;
}

/** Seconds of `90`, `90s`, `1m30s`; null when it is no interval. */
function secondsOf(text: string): number | null {
  const bare = text.trim();
  if (!/^(\d+[smhdw])*\d+[smhdw]?$/i.test(bare)) return null;
  let seconds = 0;
  for (const [, count, unit] of bare.matchAll(/(\d+)([smhdw]?)/gi)) {
    seconds += Number(count) * (UNIT_SECONDS[unit?.toLowerCase() || "s"] ?? 1);
  }
  return seconds;
}

/** Names in `O InputMailFilters=a, b`, and in the same field of `O DaemonPortOptions=…, InputMailFilters=a;b`. */
function calledFilters(line: string): readonly string[] {
  const whole = /^O\s*InputMailFilters\s*=(.*)$/.exec(line);
  const names = whole?.[1] ?? portFilters(line);
  return names?.split(/[,;\s]+/).filter((name) => name !== "") ?? [];
}

/** The value of the field that begins with `I` of a port's options. */
function portFilters(line: string): string | null {
  const port = /^O\s*DaemonPortOptions\s*=/i.exec(line);
  if (port === null) return null;
  const fields = line.slice(port[0].length).split(",");
  const field = fields.find((each) => /^\s*I[a-z]*\s*=/i.test(each));
  return field === undefined ? null : field.slice(field.indexOf("=") + 1);
}

/** The path of a unix socket in sendmail's spelling (`unix:`, `local:`, or nothing in front), or null. */
function unixPath(socket: string | null): string | null {
  const parts = /^(?:(?:unix|local):)?\s*(\/.*)$/i.exec(socket ?? "");
  return parts?.[1] ?? null;
}

function filterWarnings({ name, flags, timeouts }: CfFilter, called: ReadonlySet<string>): readonly string[] {
  const warnings: string[] = [];
  if (!called.has(name))
    warnings.push(`filter ${name} is not in InputMailFilters: sendmail does not call it`);
  if (flags === "") {
    warnings.push(
      `filter ${name} has no F=: mail passes unscanned while this program is away; F=T defers it`,
    );
  }
  for (const letter of ["S", "R", "E"] as const) {
    const seconds = timeouts[letter];
    if (seconds === undefined || seconds >= NEEDED[letter]) continue;
    const needed = `this program may need ${NEEDED[letter]} s`;
    warnings.push(`filter ${name}: the time-out ${letter}:${seconds}s in its T= is too short; ${needed}`);
  }
  return warnings;
}

function disagreement(
  file: string,
  filters: readonly CfFilter[],
  sockets: readonly SocketAddress[],
): StartError {
  const found = filters.slice(0, MOST_SHOWN).map(({ name, socket }) => `${name} at ${socket ?? "no socket"}`);
  const more = filters.length > found.length ? ` and ${filters.length - found.length} more` : "";
  const wanted = sockets.map((socket) => socket.text).join(" or ");
  const remedy = "correct that file or the socket address, or turn the check off with --no-check-cf";
  const message = `${file}: names no mail filter at ${wanted}, only ${found.join(", ")}${more}; ${remedy}`;
  return new StartError("SENDMAIL_CF", EXIT.CONFIG, message);
}
