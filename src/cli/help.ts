import { longForm, type OptionGroup, type OptionSpec, shortForm } from "./option-spec.ts";
import { OPTIONS } from "./options.ts";

const WIDTH = 80;
/** Column where descriptions begin. */
const INDENT = 30;

const HEAD = `Usage: clamav-milter [OPTION]... SOCKET_ADDRESS...
Mail filter that has mail scanned for viruses by ClamAV and talks to Sendmail
or Postfix.

SOCKET_ADDRESS is where the MTA reaches the filter: unix:/path, local:/path,
/path, inet:port, inet:port@host, inet6:port or inet6:port@host.
`;

/** The text of `--help`, made from the option table: at most 80 columns, ends with a line end. */
export function helpText(): string {
  const shown = OPTIONS.filter((option) => !option.hidden);
  const groups = [...new Set(shown.map((option) => option.group))];
  const parts = groups.map((group) => groupText(group, shown));
  return HEAD + parts.join("");
}

function groupText(group: OptionGroup, options: readonly OptionSpec[]): string {
  const lines = options.filter((option) => option.group === group).flatMap(optionLines);
  return `\n${group}:\n${lines.join("\n")}\n`;
}

function optionLines(option: OptionSpec): string[] {
  // The letter is shown bare: its argument is the same as the long name's, which follows.
  const letter = shortForm(option) === "" ? "    " : `-${option.short}, `;
  const left = `  ${letter}${longForm(option)}`;
  const preset = option.default === "" ? "" : ` (default: ${option.default})`;
  const text = wrapped(`${option.help}${preset}`, WIDTH - INDENT);
  const first = left.length <= INDENT - 2 ? `${left.padEnd(INDENT)}${text.shift() ?? ""}` : left;
  return [first, ...text.map((line) => " ".repeat(INDENT) + line)];
}

/** Breaks a text at blanks into lines of at most `width` characters; longer words stay whole. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}
