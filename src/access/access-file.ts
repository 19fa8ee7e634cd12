/** One rule of hosts.allow or hosts.deny, in its parts. */
export interface AccessRule {
  /** Number of the last line of the rule, counted from 1: the one libwrap names, too. */
  readonly line: number;
  readonly daemons: readonly string[];
  readonly clients: readonly string[];
  /** What follows the second colon, as it stands there; null when there is no second colon. */
  readonly options: string | null;
}

/** The end of a file whose rest cannot be used. */
export interface BrokenEnd {
  /** Line where the rest begins, counted from 1; 0 when nothing could be read. */
  readonly line: number;
  readonly reason: string;
}

/** What a hosts.allow or hosts.deny says. A plain JSON value. */
export interface AccessRules {
  /** As it is to be named in messages. */
  readonly fileName: string;
  readonly rules: readonly AccessRule[];
  /** Set when rules after the last usable one were lost; in hosts.deny that denies whoever gets so far. */
  readonly broken: BrokenEnd | null;
  /** What is wrong with lines that are a rule for nobody, each with file and line: to be logged once. */
  readonly warnings: readonly string[];
}

/** Bytes that libwrap has for a rule with its newline and a NUL. */
const RULE_BUFFER = 2048;

interface LogicalLine {
  readonly text: string;
  /** Number of its last line. */
  readonly line: number;
  /** False when its newline is missing or it is too long: libwrap reads no further then. */
  readonly complete: boolean;
}

/**
 * Takes a hosts.allow or hosts.deny apart: hosts_access(5), "ACCESS CONTROL RULES", with the habits of Debian's
 * libwrap: `#` is a comment in the first column only, a backslash before a newline joins lines in comments too,
 * and a rule that is longer than 2,047 bytes or has no newline makes the rest of the file unusable.
 * @param text one character a byte (latin1), so that lengths are counted as libwrap does; empty for a file that
 *   does not exist
 * @param fileName for messages
 */
export function parseAccessFile(text: string, fileName: string): AccessRules {
  const rules: AccessRule[] = [];
  const warnings: string[] = [];
  for (const { text: content, line, complete } of logicalLines(text)) {
    if (!complete) {
      const broken = { line: line + 1, reason: "no newline at its end, or longer than 2047 bytes" };
      warnings.push(`${fileName}:${broken.line}: ${broken.reason}: this and all that follows is ignored`);
      return { fileName, rules, broken, warnings };
    }
    if (content.startsWith("#") || /^[ \t\r\n]*$/.test(content)) continue;
    const [daemons, rest] = splitAt(content, ":");
    if (rest === null) {
      warnings.push(`${fileName}:${line}: no ":" between daemons and clients: the line is ignored`);
      continue;
    }
    const [clients, options] = splitAt(rest, ":");
    rules.push({ line, daemons: listElements(daemons), clients: listElements(clients), options });
  }
  return { fileName, rules, broken: null, warnings };
}

/**
 * Stands for a file that exists but cannot be read. As with libwrap, such a hosts.allow grants nothing, and such a
 * hosts.deny denies everybody.
 * @param reason what the system said
 */
export function unreadableAccessFile(fileName: string, reason: string): AccessRules {
  const broken = { line: 0, reason: `cannot be read: ${reason}` };
  return { fileName, rules: [], broken, warnings: [`${fileName}: ${broken.reason}`] };
}

/**
 * Splits a text at the first delimiter that is not within brackets, which belong to IPv6 addresses.
 * @param from where to begin looking
 * @returns both sides; null for the second when there is no such delimiter
 */
export function splitAt(text: string, delimiter: string, from = 0): [string, string | null] {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const character = text[at];
    if (character === "[") depth++;
    else if (character === "]") depth--;
    else if (depth === 0 && character === delimiter) return [text.slice(0, at), text.slice(at + 1)];
  }
  return [text, null];
}

function listElements(list: string): string[] {
  return list.split(/[, \t\r\n]+/).filter((element) => element !== "");
}

function* logicalLines(text: string): Generator<LogicalLine> {
  let at = 0;
  let line = 0;
  while (at < text.length) {
    let joined = "";
    let complete = false;
    while (!complete && at < text.length && joined.length < RULE_BUFFER - 1) {
      const newline = text.indexOf("\n", at);
      const end = Math.min(newline < 0 ? text.length : newline + 1, at + RULE_BUFFER - 1 - joined.length);
      // A NUL hides the rest of its line, newline included, from a program that is written in C.
      const [piece = ""] = text.slice(at, end).split("\0", 1);
      at = end;
      if (piece.endsWith("\n")) line++;
      const continued = piece.endsWith("\\\n");
      complete = piece.endsWith("\n") && !continued;
      joined += continued ? piece.slice(0, -2) : piece;
    }
    if (joined !== "") yield { text: joined, line, complete };
    if (!complete) return;
  }
}
