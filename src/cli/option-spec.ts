import { EXIT, type ExitCode } from "./start-error.ts";

/** How an option takes its argument: an optional one is only read when it is attached (decisions 1). */
export type ArgumentKind = "none" | "required" | "optional";

export type OptionGroup =
  | "Scanner"
  | "What is scanned"
  | "Infected mail"
  | "Marks in mail"
  | "Notices and reports"
  | "Limits"
  | "Program"
  | "Log and information";

/** A value test: null when the value is good, else what was expected ("a whole number from 0 to 9"). */
export type ValueCheck = (value: string) => string | null;

/** One row of the option table, from which parser, help, manual page and README are made. */
export interface OptionSpec<Name extends string = string> {
  /** Long name without dashes. */
  readonly long: Name;
  /** Documented letter, or "". */
  readonly short: string;
  /** Letter that the classic program took without documenting it, or "" (decisions 1). */
  readonly hiddenShort: string;
  readonly argument: ArgumentKind;
  /** The letter's kind, where it differs: `-a` needs an argument, `--from` does not. */
  readonly shortArgument: ArgumentKind;
  readonly metavar: string;
  readonly check: ValueCheck | null;
  /** Exit status when `check` fails. */
  readonly checkExit: ExitCode;
  /** Default as the reader is to see it, or "" when there is none. */
  readonly default: string;
  readonly group: OptionGroup;
  readonly help: string;
  /** Manual page text: plain sentences, no markup. */
  readonly manual: string;
  /** What cannot be combined with it, or "". */
  readonly conflicts: string;
  readonly repeatable: boolean;
  /** Not in the classic program; such names never make an old abbreviation ambiguous. */
  readonly added: boolean;
  /** Accepted, but left out of the help text. */
  readonly hidden: boolean;
}

type Needed = "long" | "group" | "help" | "manual";

/** Completes a row of the table with what most rows have in common. */
export function option<const Name extends string>(
  row: Pick<OptionSpec<Name>, Needed> & Partial<Omit<OptionSpec<Name>, Needed>>,
): OptionSpec<Name> {
  const argument = row.argument ?? (row.metavar === undefined ? "none" : "required");
  return {
    short: "",
    hiddenShort: "",
    metavar: "",
    check: null,
    checkExit: EXIT.USAGE,
    default: "",
    conflicts: "",
    repeatable: false,
    added: false,
    hidden: false,
    shortArgument: argument,
    ...row,
    argument,
  };
}

/** The option's name for messages: its long name with dashes. */
export function optionLabel(spec: OptionSpec): string {
  return `--${spec.long}`;
}

/** Long name with its argument as help, manual and README show it: `--from[=EMAIL]`, `--timeout=N`. */
export function longForm(spec: OptionSpec): string {
  if (spec.argument === "none") return `--${spec.long}`;
  return spec.argument === "optional" ? `--${spec.long}[=${spec.metavar}]` : `--${spec.long}=${spec.metavar}`;
}

/** Letter with its argument: `-a FROM`, `-B[IFACE]`, `-e`; "" without a documented letter. */
export function shortForm(spec: OptionSpec): string {
  if (spec.short === "") return "";
  if (spec.shortArgument === "none") return `-${spec.short}`;
  return spec.shortArgument === "optional"
    ? `-${spec.short}[${spec.metavar}]`
    : `-${spec.short} ${spec.metavar}`;
}
