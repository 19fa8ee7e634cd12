/** Bytes of one entry: with what stands in front of it, it still goes into a pipe in one piece (PIPE_BUF). */
export const MAX_ENTRY = 4000;

/** What moves a cursor, ends a line somewhere, or turns the direction of writing. */
const HARMFUL = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Control characters as `\xNN`, and a length that ends: MAX_ENTRY bytes of UTF-8, then `...`. */
export function oneLine(text: string): string {
  const safe = text
    .slice(0, MAX_ENTRY + 1)
    .replaceAll(HARMFUL, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
  const entry = cutBytes(safe, MAX_ENTRY);
  return entry.length < safe.length || text.length > MAX_ENTRY ? `${entry}...` : entry;
}

/** JSON text whose strings are harmless to a terminal, too: JSON itself escapes ASCII controls only. */
export function harmlessJson(json: string): string {
  return json.replaceAll(
    HARMFUL,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The beginning of a text: whole characters that are so many bytes of UTF-8 at most. */
export function cutBytes(text: string, most: number): string {
  if (text.length * 3 <= most || Buffer.byteLength(text) <= most) return text;
  const all = Buffer.from(text);
  let end = most;
  while (end > 0 && ((all[end] ?? 0) & 0xc0) === 0x80) end--;
  return all.toString("utf8", 0, end);
}

/**
 * A "binary" string from the wire as text: UTF-8 where it is, else with every byte that is not ASCII as `\xNN`.
 */
export function wireText(binary: string): string {
  if (!/[\x80-\xff]/.test(binary)) return binary;
  const bytes = Buffer.from(binary, "latin1");
  const text = bytes.toString("utf8");
  if (!text.includes("\ufffd")) return text;
  return binary.replaceAll(/[\x80-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
}
