/** Character sets of one byte a character, and UTF-8; names as in Content-Type. */
const ASCII = /^(us-ascii|ascii|ansi_x3\.4-1968)$/i;
const UTF8 = /^utf-?8$/i;
/** Those whose bytes below 128 are ASCII wherever a text ends; what is not ASCII is left out there. */
const ASCII_AT_END = /^(gb2312|gbk|gb18030|big5|euc-jp|euc-kr|euc-tw|shift_jis|iso-2022-jp|iso-2022-kr)/i;
const SINGLE_BYTE = /^(iso-8859-|windows-|cp125|koi8-|macintosh|x-mac|ibm866|latin)/i;

/** A text in a character set, one character a byte; what that cannot say is a question mark. Null: unknown set. */
export function encodeIn(charset: string, text: string): string | null {
  const name = charset.trim();
  if (UTF8.test(name)) return Buffer.from(text).toString("latin1");
  if (ASCII.test(name) || ASCII_AT_END.test(name)) return text.replaceAll(/[^\0-\x7f]/gu, "?");
  if (!SINGLE_BYTE.test(name)) return null;
  const table = byteTable(name);
  return table === null ? null : [...text].map((character) => table.get(character) ?? "?").join("");
}

/** From characters to bytes, made by asking what each byte means. */
function byteTable(name: string): ReadonlyMap<string, string> | null {
  try {
    const decoder = new TextDecoder(name as Bun.Encoding);
    const table = new Map<string, string>();
    for (let byte = 0; byte < 256; byte++) {
      const character = byte < 128 ? String.fromCharCode(byte) : decoder.decode(new Uint8Array([byte]));
      if (character !== "\ufffd" && !table.has(character)) table.set(character, String.fromCharCode(byte));
    }
    return table;
  } catch {
    return null;
  }
}
