import type { OptionSpec } from "./option-spec.ts";
import { MARK_OPTIONS, NOTICE_OPTIONS, VERDICT_OPTIONS } from "./options-mail.ts";
import { INFORMATION_OPTIONS, LIMIT_OPTIONS, PROGRAM_OPTIONS } from "./options-program.ts";
import { SCANNER_OPTIONS, SELECTION_OPTIONS } from "./options-scanner.ts";

const ROWS = [
  ...SCANNER_OPTIONS,
  ...SELECTION_OPTIONS,
  ...VERDICT_OPTIONS,
  ...MARK_OPTIONS,
  ...NOTICE_OPTIONS,
  ...LIMIT_OPTIONS,
  ...PROGRAM_OPTIONS,
  ...INFORMATION_OPTIONS,
] as const;

/** Long name of an option that exists. */
export type OptionName = (typeof ROWS)[number]["long"];

/** The one table of all options (decisions 1), in the order of the help text. */
export const OPTIONS: readonly OptionSpec<OptionName>[] = ROWS;
