import { nearMiss } from "../cli/near-miss.ts";
import { EXIT, StartError } from "../cli/start-error.ts";
import {
  BOOLEANS,
  type BooleanDirective,
  DIRECTIVES,
  type Directive,
  NUMBERS,
  type NumberDirective,
  SIZES,
  type SizeDirective,
  TEXTS,
  type TextDirective,
} from "./clamd-directives.ts";

type Value = boolean | number | string;

/** A clamd.conf that was read; the getters below give its values and clamd's defaults. */
export interface ClamdConf {
  readonly file: string;
  /** Values in the order of the file; single-valued directives have one. */
  readonly given: ReadonlyMap<string, readonly Value[]>;
  /** What does not stop the start, but deserves a line in the log. */
  readonly warnings: readonly string[];
}

/**
 * Reads the text of a clamd.conf the way clamd 1.4 and 1.5 do (decisions 2): blanks and tabs around words,
 * `#` at the start of a line, texts with or without double quotes, and (clamd 1.5) a `#` remark behind
 * switches, numbers and sizes. As in clamd the first of several lines for a single-valued directive
 * counts; later ones give a warning. Line ends may be CR LF.
 *
 * @param file name for messages, which have the form `FILE:LINE: DIRECTIVE: what was expected`
 * @throws StartError `CONFIG_FILE` (78)
 */
export function parseClamdConf(text: string, file: string): ClamdConf {
  const given = new Map<string, Value[]>();
  const firstLine = new Map<string, number>();
  const warnings: string[] = [];
  for (const [index, raw] of text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .entries()) {
    const place = `${file}:${index + 1}`;
    const line = trimmed(raw);
    if (line === "" || line.startsWith("#")) continue;
    const { name, argument } = splitLine(line, place);
    const directive = lookUp(name, place);
    if (directive.kind === "retired") {
      warnings.push(`${place}: ${name}: no longer used, ignored`);
      continue;
    }
    const value = parseValue(directive, unquoted(argument, name, place), place);
    const values = given.get(name);
    if (values === undefined) {
      given.set(name, [value]);
      firstLine.set(name, index + 1);
    } else if (directive.several) values.push(value);
    else {
      warnings.push(`${place}: ${name}: ignored, line ${firstLine.get(name)} has set it already`);
    }
  }
  return { file, given, warnings };
}

function trimmed(line: string): string {
  return withoutEnd(line, " \t\r\n").replace(/^[ \t]+/, "");
}

/** Without the characters of `signs` at the end; a pattern would begin anew at each blank of a line. */
function withoutEnd(text: string, signs: string): string {
  let end = text.length;
  while (end > 0 && signs.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

function splitLine(line: string, place: string): { name: string; argument: string } {
  const [, name = "", argument = ""] = /^([^ \t]+)[ \t]*(.*)$/s.exec(line) ?? [];
  // clamd goes by the first seven letters alone.
  if (name.startsWith("Example")) {
    throw conf(`${place}: Example: this is still the example file; edit it and remove this line`);
  }
  if (argument === "" && DIRECTIVES.has(name)) throw conf(`${place}: ${name}: needs a value`);
  return { name, argument };
}

function lookUp(name: string, place: string): Directive {
  const directive = DIRECTIVES.get(name);
  if (directive !== undefined) return directive;
  const meant = nearMiss(name, DIRECTIVES.keys());
  const hint = meant === null ? "no version of clamd knows this directive" : `did you mean ${meant}?`;
  throw conf(`${place}: ${name}: unknown directive, ${hint}`);
}

/** Only double quotes count; what stands behind the closing one is dropped, as clamd does. */
function unquoted(argument: string, name: string, place: string): string {
  if (!argument.startsWith('"')) return argument;
  const end = argument.indexOf('"', 1);
  if (end < 0) throw conf(`${place}: ${name}: the closing " is missing`);
  if (end === 1) throw conf(`${place}: ${name}: needs a value`);
  return argument.slice(1, end);
}

function parseValue(directive: Directive, argument: string, place: string): Value {
  if (directive.kind === "text") return parseText(directive, argument, place);
  const remark = argument.indexOf("#");
  const word = remark < 0 ? argument : withoutEnd(argument.slice(0, remark), " ");
  if (directive.kind === "boolean") return parseBoolean(directive, word, place);
  return directive.kind === "size" ? parseSize(directive, word, place) : parseNumber(directive, word, place);
}

function parseText(directive: Directive, argument: string, place: string): string {
  if (directive.words.length === 0) return argument;
  const word = directive.words.find((each) => each.toLowerCase() === argument.toLowerCase());
  if (word !== undefined) return word;
  throw wrong(directive, argument, `one of ${directive.words.join(", ")}`, place);
}

function parseBoolean(directive: Directive, word: string, place: string): boolean {
  if (/^(yes|true|1)$/i.test(word)) return true;
  if (/^(no|false|0)$/i.test(word)) return false;
  throw wrong(directive, word, "yes or no", place);
}

function parseNumber(directive: Directive, word: string, place: string): number {
  const { least, most } = directive;
  const value = /^\d{1,15}$/.test(word) ? Number(word) : -1;
  if (value >= least && value <= most) return value;
  throw wrong(directive, word, `a whole number from ${least} to ${most}`, place);
}

function parseSize(directive: Directive, word: string, place: string): number {
  const parts = /^(\d+)([KMG]?)$/i.exec(word);
  if (parts === null)
    throw wrong(directive, word, "a number of bytes, with K, M or G behind it if you like", place);
  const factor = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[(parts[2] ?? "").toUpperCase()] ?? 1;
  // clamd cuts giant sizes down to the largest it can hold; ours is that of an exact number.
  return Math.min(Number(parts[1]) * factor, Number.MAX_SAFE_INTEGER);
}

function wrong(directive: Directive, given: string, expected: string, place: string): StartError {
  const quoted = JSON.stringify(given.slice(0, 200));
  return conf(`${place}: ${directive.name}: expected ${expected}; given: ${quoted}`);
}

function conf(message: string): StartError {
  return new StartError("CONFIG_FILE", EXIT.CONFIG, message);
}

/** A switch, or clamd's default for it. */
export function booleanOf(config: ClamdConf, name: BooleanDirective): boolean {
  const value = config.given.get(name)?.[0];
  return typeof value === "boolean" ? value : BOOLEANS[name];
}

/** A number, or clamd's default for it, or null. TCPSocket 0 is null, since clamd takes it for unset. */
export function numberOf(config: ClamdConf, name: NumberDirective): number | null {
  const value = config.given.get(name)?.[0];
  if (typeof value !== "number") return NUMBERS[name].default;
  return name === "TCPSocket" && value === 0 ? null : value;
}

/** A size in bytes, or clamd's default for it. */
export function sizeOf(config: ClamdConf, name: SizeDirective): number {
  const value = config.given.get(name)?.[0];
  return typeof value === "number" ? value : SIZES[name];
}

/** The texts of a directive that may stand several times. */
export function textsOf(config: ClamdConf, name: TextDirective): readonly string[] {
  return (config.given.get(name) ?? []).filter((value) => typeof value === "string");
}

/** A text, or clamd's default for it, or null. */
export function textOf(config: ClamdConf, name: TextDirective): string | null {
  const value = config.given.get(name)?.[0];
  return typeof value === "string" ? value : TEXTS[name].default;
}
