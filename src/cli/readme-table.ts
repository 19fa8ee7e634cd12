import { longForm, type OptionSpec, shortForm } from "./option-spec.ts";
import { OPTIONS } from "./options.ts";

/** Lines of README.md between which {@link readmeTable} stands. */
export const README_BEGIN = "<!-- options:begin -->";
export const README_END = "<!-- options:end -->";

/** The Markdown table of all options for the README, made from the option table; ends with a line end. */
export function readmeTable(): string {
  const rows = OPTIONS.filter((option) => !option.hidden).map(tableRow);
  return `${["| Option | What it does | Default |", "| --- | --- | --- |", ...rows].join("\n")}\n`;
}

function tableRow(option: OptionSpec): string {
  const names = [shortForm(option), longForm(option)].filter((form) => form !== "").map(code);
  const remark = option.conflicts === "" ? "" : `; ${option.conflicts}`;
  return `| ${names.join(", ")} | ${cell(option.help + remark)} | ${cell(option.default)} |`;
}

function code(text: string): string {
  return `\`${cell(text)}\``;
}

/** A bar would end the cell, even in code. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
