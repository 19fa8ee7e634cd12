/** No entry is longer, whatever came from outside. */
const MAX_ENTRY = 8192;

/** Control characters as `\xNN`, and a length that ends. */
export function oneLine(text: string): string {
  const safe = text.replaceAll(
    /[\0-\x1f\x7f-\x9f\u2028\u2029]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return safe.length <= MAX_ENTRY ? safe : `${safe.slice(0, MAX_ENTRY)}...`;
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
