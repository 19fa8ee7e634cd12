/** A piece of a manual page. In texts, what stands between backquotes is set in bold. */
export type Block =
  | { readonly kind: "text"; readonly text: string }
  /** Lines that are set as they are. */
  | { readonly kind: "code"; readonly lines: readonly string[] }
  /** A term and what it means. */
  | { readonly kind: "item"; readonly term: string; readonly text: string };

const WIDTH = 78;
/** Signs that roff would print as others, or take for its own. */
const LITERAL: Readonly<Record<string, string>> = {
  "\\": "\\(rs",
  "-": "\\-",
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
};

/** Names of options are set in bold wherever they stand in a text. */
const OPTION = /(?<![\w-])(--[a-z][a-z-]*[a-z]|-[A-Za-z])(?![\w-])/g;

/** A section's heading and content in the man macros; ends with a line end. */
export function section(title: string, blocks: readonly Block[]): string {
  return [`.SH ${title}`, ...blocks.flatMap(blockLines), ""].join("\n");
}

/** Words in bold, for a text. */
export function bold(text: string): string {
  return `\\fB${literal(text)}\\fR`;
}

/** Words in italics, for a text: a value that the reader puts in. */
export function italic(text: string): string {
  return `\\fI${literal(text)}\\fR`;
}

function blockLines(block: Block): readonly string[] {
  if (block.kind === "text") return [".PP", ...filled(styled(block.text))];
  if (block.kind === "item") return itemLines(styled(block.term), block.text);
  return [".PP", ".nf", ".RS 4", ...block.lines.map((line) => guarded(literal(line))), ".RE", ".fi"];
}

/**
 * A hanging paragraph.
 * @param term roff text that is ready
 * @param text may have several paragraphs, parted by empty lines
 */
export function itemLines(term: string, text: string): readonly string[] {
  const [first = "", ...more] = text.split("\n\n");
  const rest = more.flatMap((part) => [".IP", ...filled(styled(part))]);
  return [".TP", guarded(term), ...filled(styled(first)), ...rest];
}

/** Every sign as it is. */
function literal(text: string): string {
  return text.replace(/[\\\-'`^~]/g, (sign) => LITERAL[sign] ?? sign);
}

/** Plain text with bold words; apostrophes and hyphens are typographical outside of these. */
function styled(text: string): string {
  const parts = text.split("`");
  if (parts.length % 2 === 0) throw new Error(`a backquote without its pair: ${text}`);
  return parts.map((part, at) => (at % 2 === 1 ? bold(part) : plain(part))).join("");
}

function plain(text: string): string {
  // Split with a group: every second part is the name of an option.
  const parts = text.split(OPTION);
  return parts.map((part, at) => (at % 2 === 1 ? bold(part) : plainSigns(part))).join("");
}

function plainSigns(text: string): string {
  return text.replace(/[\\^~]|(?<= )-(?= )/g, (sign) => LITERAL[sign] ?? sign);
}

/** Breaks a text at blanks; roff fills the lines anew. */
function filled(text: string): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.map(guarded);
}

/** A full stop or apostrophe at the beginning of a line would be a command. */
function guarded(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}
