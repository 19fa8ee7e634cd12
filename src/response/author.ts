/** Comments and quoted strings of a header value: commas and brackets in them mean nothing. */
const QUOTED = /"(?:[^"\\]|\\.)*"/g;
const COMMENT = /\((?:[^()\\]|\\.)*\)/g;
/** Stands for a quoted string: next to an address it is one of those that nobody reads in the same way. */
const QUOTE_MARK = "\x01";
const ADDRESS = /^[^\s<>()[\]\\,;:@"]+@([A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}))$/;

/**
 * The one author of a message, by its From: header lines. Null when there are several, or none that can be read:
 * whatever is concluded from an author's domain must not depend on how one reads a doubtful line.
 * @param values of all From: header lines
 */
export function authorOf(values: readonly string[]): string | null {
  const [value] = values;
  if (value === undefined || values.length > 1 || value.length > 2000) return null;
  // Quoted local parts are left out with all other quoted text: such an author is none.
  const bare = value.replaceAll(QUOTED, QUOTE_MARK).replaceAll(COMMENT, " ").replaceAll(/\r?\n/g, " ").trim();
  const brackets = [...bare.matchAll(/<([^<>]*)>/g)];
  // A quote or comment without its end: how far it goes is anybody's guess.
  if (/[,;:"()\\]/.test(bare) || brackets.length > 1) return null;
  const address = brackets.length === 1 ? (brackets[0]?.[1] ?? "").trim() : bare;
  if (brackets.length === 1 && !bare.endsWith(">")) return null;
  return ADDRESS.test(address) && !address.includes(QUOTE_MARK) ? address : null;
}
