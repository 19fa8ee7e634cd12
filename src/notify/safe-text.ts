import { wireText } from "../log/text.ts";

/** Control characters of ASCII and Latin-1, line and paragraph separators, and what turns the direction of writing. */
const CONTROLS = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g;

/** Characters of one text from outside that a notice shows. */
const LONGEST = 320;

/** A text for one line: control characters become blanks, and it is cut. */
export function oneLineText(text: string, longest = LONGEST): string {
  const safe = text.replaceAll(CONTROLS, " ").trim();
  return safe.length <= longest ? safe : `${safe.slice(0, longest).toWellFormed()}...`;
}

/** The same for a "binary" string from the wire, one byte a character: UTF-8 where it is, else `\xNN`. */
export function shownText(binary: string, longest = LONGEST): string {
  const enough = 4 * longest;
  // Cut between characters: half of one would make the whole look like something other than UTF-8.
  const whole =
    binary.length <= enough ? binary : binary.slice(0, enough).replace(/[\xc0-\xff][\x80-\xbf]{0,3}$/, "");
  return oneLineText(wireText(whole), longest);
}

/** An address without the brackets of the envelope. */
export function bareAddress(path: string): string {
  return path.trim().replace(/^<(.*)>$/s, "$1");
}

const LOCAL = /^(?![-/|:])[A-Za-z0-9.!#$%&'*+/=?^_`{}~-]{1,64}$/;
const LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
const DOMAIN = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*\\.?|\\[[0-9A-Fa-f:.]{2,45}\\])$`);
/** RFC 5321, section 4.5.3.1.3, without the brackets. */
const LONGEST_ADDRESS = 254;

/**
 * An address that mail of ours may be sent to, in a form that no mail program takes for an option, a file or a
 * command; else null. Quoted local parts and addresses beyond ASCII are none.
 * @param path with or without the brackets of the envelope
 */
export function mailableAddress(path: string): string | null {
  const address = bareAddress(path);
  if (address.length > LONGEST_ADDRESS) return null;
  const at = address.lastIndexOf("@");
  const local = at < 0 ? address : address.slice(0, at);
  if (!LOCAL.test(local)) return null;
  return at < 0 || DOMAIN.test(address.slice(at + 1)) ? address : null;
}
