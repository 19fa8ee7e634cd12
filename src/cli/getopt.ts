import { nearMiss } from "./near-miss.ts";
import { type ArgumentKind, type OptionSpec, optionLabel } from "./option-spec.ts";
import { EXIT, StartError } from "./start-error.ts";

/** What one word (or two) of the command line turned out to be. `value` null: no argument was given. */
export type Token =
  | { readonly kind: "option"; readonly option: OptionSpec; readonly value: string | null }
  | { readonly kind: "operand"; readonly value: string };

/**
 * Splits a command line the way GNU getopt_long does (decisions 1; CB 1.0): clustered letters, attached
 * and detached arguments, unambiguous abbreviations, options behind operands, `--`. An optional argument
 * is only read when attached. The tokens come one by one, so that a caller which acts on `--help` never
 * sees errors behind it.
 *
 * @throws StartError 64 for an unknown or ambiguous option, a missing or an unexpected argument
 */
export function* getoptLong(argv: readonly string[], options: readonly OptionSpec[]): Generator<Token> {
  const words = argv[Symbol.iterator]();
  for (const word of words) {
    if (word === "--") {
      for (const value of words) yield { kind: "operand", value };
    } else if (word.startsWith("--")) {
      yield longOption(word.slice(2), words, options);
    } else if (word.startsWith("-") && word.length > 1) {
      yield* cluster(word.slice(1), words, options);
    } else {
      yield { kind: "operand", value: word };
    }
  }
}

function longOption(body: string, words: Iterator<string>, options: readonly OptionSpec[]): Token {
  const equals = body.indexOf("=");
  const name = equals < 0 ? body : body.slice(0, equals);
  const attached = equals < 0 ? null : body.slice(equals + 1);
  const option = findLong(name, options);
  if (option.argument === "none" && attached !== null) {
    throw usage(
      "UNEXPECTED_ARGUMENT",
      `${optionLabel(option)}: takes no argument, but "${attached}" was given`,
    );
  }
  const value = attached ?? detached(option, option.argument, `--${option.long}=${option.metavar}`, words);
  return { kind: "option", option, value };
}

function* cluster(
  letters: string,
  words: Iterator<string>,
  options: readonly OptionSpec[],
): Generator<Token> {
  for (let at = 0; at < letters.length; at++) {
    const letter = letters.charAt(at);
    const option = options.find((each) => each.short === letter || each.hiddenShort === letter);
    if (option === undefined) throw unknownLetter(letter, `-${letters}`, options);
    if (option.shortArgument === "none") {
      yield { kind: "option", option, value: null };
      continue;
    }
    const rest = letters.slice(at + 1);
    const example = `-${letter} ${option.metavar}`;
    const value = rest !== "" ? rest : detached(option, option.shortArgument, example, words);
    yield { kind: "option", option, value };
    return;
  }
}

/** The next word, for an argument that is needed and was not attached. */
function detached(
  option: OptionSpec,
  kind: ArgumentKind,
  example: string,
  words: Iterator<string>,
): string | null {
  if (kind !== "required") return null;
  const next = words.next();
  if (next.done !== true) return next.value;
  throw usage("MISSING_ARGUMENT", `${optionLabel(option)}: needs an argument: ${example}`);
}

/**
 * An exact name wins over abbreviations. Names that the classic did not have are looked at only when none
 * of its own fits, so that what was unambiguous in an old init script stays so (`--max=4`).
 */
function findLong(name: string, options: readonly OptionSpec[]): OptionSpec {
  const exact = options.find((each) => each.long === name);
  if (exact !== undefined) return exact;
  const fitting = name === "" ? [] : options.filter((each) => each.long.startsWith(name));
  const classic = fitting.filter((each) => !each.added);
  const candidates = classic.length > 0 ? classic : fitting;
  const [first, ...others] = candidates;
  if (first === undefined) throw unknownLong(name, options);
  if (others.length === 0) return first;
  const names = candidates.map(optionLabel).join(", ");
  throw usage("AMBIGUOUS_OPTION", `--${name}: ambiguous, it could be one of ${names}`);
}

function unknownLong(name: string, options: readonly OptionSpec[]): StartError {
  const meant = nearMiss(
    name,
    options.map((each) => each.long),
  );
  const hint = meant === null ? "see --help" : `did you mean --${meant}?`;
  return usage("UNKNOWN_OPTION", `--${name}: unknown option, ${hint}`);
}

function unknownLetter(letter: string, word: string, options: readonly OptionSpec[]): StartError {
  // One dash in front of a long name is the usual slip behind an odd cluster.
  const long = options.find((each) => each.long === word.slice(1).split("=")[0] && each.long.length > 1);
  const hint = long === undefined ? "see --help" : `did you mean --${long.long}?`;
  const where = word === `-${letter}` ? "" : ` (in "${word}")`;
  return usage("UNKNOWN_OPTION", `-${letter}: unknown option${where}, ${hint}`);
}

function usage(code: string, message: string): StartError {
  return new StartError(code, EXIT.USAGE, message);
}
