import { type ArgDef, parseArgs } from "citty";
import { getoptLong } from "./getopt.ts";
import { canonicalNetwork } from "./network.ts";
import { type OptionSpec, optionLabel } from "./option-spec.ts";
import { OPTIONS, type OptionName } from "./options.ts";
import { parseSocketAddress, type SocketAddress } from "./socket-address.ts";
import { EXIT, StartError } from "./start-error.ts";

/** What was given: true for a flag, text for an argument ("" when an optional one was left out). */
export interface GivenOptions {
  readonly values: Readonly<Partial<Record<OptionName, string | true>>>;
  /** The networks of `--ignore` as canonical CIDR text, in the order given. */
  readonly ignore: readonly string[];
}

export type CommandLine =
  | { readonly action: "help" }
  | { readonly action: "version"; readonly options: GivenOptions }
  | { readonly action: "run"; readonly options: GivenOptions; readonly sockets: readonly SocketAddress[] };

/** How often `--ignore` may be given (man page). */
const MAX_IGNORE = 8;

/**
 * Reads the command line (without the program's name): syntax, argument ranges and socket addresses.
 * `--help` and `--version` act where they stand: an error before them wins, what follows is not looked at.
 * Conflicts between options are looked at later, with clamd.conf at hand.
 *
 * @throws StartError 64; 78 for the few arguments whose errors have that status (CB 1)
 */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const canonical: string[] = [];
  const ignore: string[] = [];
  const operands: string[] = [];
  for (const token of getoptLong(argv, OPTIONS)) {
    if (token.kind === "operand") {
      operands.push(token.value);
      continue;
    }
    const { option, value } = token;
    checkValue(option, value);
    if (option.long === "help") return { action: "help" };
    if (option.long === "version")
      return { action: "version", options: { values: typed(canonical), ignore } };
    if (option.long === "ignore") ignore.push(oneMoreNetwork(value ?? "", ignore.length));
    else canonical.push(option.argument === "none" ? `--${option.long}` : `--${option.long}=${value ?? ""}`);
  }
  return { action: "run", options: { values: typed(canonical), ignore }, sockets: socketsOf(operands) };
}

function checkValue(option: OptionSpec, value: string | null): void {
  if (value === null || option.check === null) return;
  const expected = option.check(value);
  if (expected === null) return;
  const message = `${optionLabel(option)}: expected ${expected}${value === "" ? "" : `; given: ${shown(value)}`}`;
  throw new StartError("BAD_VALUE", option.checkExit, message);
}

/** Control characters must not reach a terminal or log as they are. */
function shown(value: string): string {
  return JSON.stringify(value.length > 200 ? `${value.slice(0, 200)}...` : value);
}

function oneMoreNetwork(value: string, given: number): string {
  if (given >= MAX_IGNORE) {
    throw new StartError("TOO_MANY", EXIT.USAGE, `--ignore: can be given ${MAX_IGNORE} times at most`);
  }
  return canonicalNetwork(value) ?? value;
}

function socketsOf(operands: readonly string[]): readonly SocketAddress[] {
  if (operands.length === 0) {
    const message =
      "no socket address given; expected one such as unix:/run/clamav-milter/clamav-milter.sock (see --help)";
    throw new StartError("NO_SOCKET", EXIT.USAGE, message);
  }
  const sockets = operands.map(parseSocketAddress);
  const seen = new Set<string>();
  for (const { text } of sockets) {
    if (seen.has(text)) {
      throw new StartError("SOCKET_ADDRESS", EXIT.USAGE, `socket address "${text}": given twice`);
    }
    seen.add(text);
  }
  return sockets;
}

/** citty takes `--no-X` as "X is false", whatever X is, so the one such option is told to it that way. */
const NEGATED = "--no-";

/** citty's view of the table. Defaults stay out of it: what was not given must not look as if it were. */
function cittyArguments(options: readonly OptionSpec[]): Record<string, ArgDef> {
  const definitions: Record<string, ArgDef> = {};
  for (const option of options) {
    const label = optionLabel(option);
    const name = label.startsWith(NEGATED) ? label.slice(NEGATED.length) : option.long;
    definitions[name] =
      option.argument === "none"
        ? { type: "boolean", description: option.help }
        : { type: "string", description: option.help, valueHint: option.metavar };
  }
  return definitions;
}

const CITTY_ARGUMENTS = cittyArguments(OPTIONS);

/**
 * Values by name from `--name` and `--name=value` words; the last of several wins. citty reads them; it
 * gets only this plain form, since by itself it knows no clusters, abbreviations or optional arguments.
 */
function typed(canonical: readonly string[]): GivenOptions["values"] {
  const parsed = parseArgs([...canonical], CITTY_ARGUMENTS);
  const values: Partial<Record<OptionName, string | true>> = {};
  for (const option of OPTIONS) {
    const label = optionLabel(option);
    const negated = label.startsWith(NEGATED);
    const value = parsed[negated ? label.slice(NEGATED.length) : option.long];
    if (negated && value === false) values[option.long] = true;
    else if (value === true || typeof value === "string") values[option.long] = value;
  }
  return values;
}
