import { CLOSING, OPENING } from "./man-sections.ts";
import type { OptionGroup, OptionSpec } from "./option-spec.ts";
import { OPTIONS } from "./options.ts";
import { bold, italic, itemLines, section } from "./roff.ts";

/**
 * The manual page clamav-milter.8 in roff with the man macros, made from the option table.
 * @param version of the program; there is no date in the page, so that the same source gives the same page
 */
export function manPage(version: string): string {
  const groups = [...new Set(OPTIONS.map((option) => option.group))];
  return [
    '.\\" Made from the option table: change that, not this file.\n',
    `.TH CLAMAV\\-MILTER 8 "" "clamav\\-milter ${version}" "System Manager\\(aqs Manual"\n`,
    ...OPENING.map(({ title, blocks }) => section(title, blocks)),
    ".SH OPTIONS\n",
    ...groups.map(groupText),
    ...CLOSING.map(({ title, blocks }) => section(title, blocks)),
  ].join("");
}

function groupText(group: OptionGroup): string {
  const options = OPTIONS.filter((option) => option.group === group && !option.hidden);
  return [`.SS ${group}`, ...options.flatMap(optionLines), ""].join("\n");
}

function optionLines(option: OptionSpec): readonly string[] {
  return itemLines(
    forms(option),
    [option.manual, remarks(option)].filter((part) => part !== "").join("\n\n"),
  );
}

/** `-a EMAIL, --from[=EMAIL]` with the names in bold and the value in italics. */
function forms(option: OptionSpec): string {
  const long = bold(`--${option.long}`);
  if (option.argument === "none") return [shortName(option), long].filter((form) => form !== "").join(", ");
  const value = italic(option.metavar);
  const attached = option.argument === "optional" ? `[=${value}]` : `=${value}`;
  return [shortName(option, value), `${long}${attached}`].filter((form) => form !== "").join(", ");
}

function shortName(option: OptionSpec, value = ""): string {
  if (option.short === "") return "";
  const name = bold(`-${option.short}`);
  if (option.shortArgument === "none") return name;
  return option.shortArgument === "optional" ? `${name}[${value}]` : `${name} ${value}`;
}

function remarks(option: OptionSpec): string {
  const preset = option.default === "" ? "" : `Default: ${option.default}.`;
  const conflicts = option.conflicts === "" ? "" : sentence(option.conflicts);
  return [preset, conflicts].filter((part) => part !== "").join(" ");
}

/** Begins with a capital letter, unless with an option, and ends with a full stop. */
function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}
