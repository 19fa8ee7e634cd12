/** Finds where something belongs in a decoded text, and says what, in the text's own bytes (one character each). */
export type Place = (decoded: string) => { readonly at: number; readonly text: string };

const QUOTED_LINE = 76;

/** Puts something into the content of a part, one character a byte; null: that cannot be done without loss. */
export function insertEncoded(content: string, encoding: string, place: Place): string | null {
  switch (encoding) {
    case "7bit":
      return insertPlain(content, place, (text) => text.replaceAll(/[^\0-\x7f]/g, "?"));
    case "8bit":
    case "binary":
      return insertPlain(content, place, (text) => text);
    case "quoted-printable":
      return insertQuoted(content, place);
    case "base64":
      return insertBase64(content, place);
    default:
      return null;
  }
}

function insertPlain(content: string, place: Place, safe: (text: string) => string): string {
  const { at, text } = place(content);
  return content.slice(0, at) + safe(text) + content.slice(at);
}

/** In base64 the bytes behind the insertion move: all of it is written anew. */
function insertBase64(content: string, place: Place): string | null {
  const packed = content.replaceAll(/[\s]+/g, "");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(packed) || packed.length % 4 !== 0) return null;
  const decoded = Buffer.from(packed, "base64").toString("latin1");
  const { at, text } = place(decoded);
  const whole = Buffer.from(decoded.slice(0, at) + text + decoded.slice(at), "latin1").toString("base64");
  const end = /\r?\n$/.test(content) || content === "" ? "\r\n" : "";
  return (whole.match(/.{1,76}/g) ?? []).join("\r\n") + end;
}

/** In quoted-printable only what is inserted is new; soft line breaks hold it apart from the rest. */
function insertQuoted(content: string, place: Place): string | null {
  const { decoded, offsetOf } = decodeQuoted(content);
  const { at, text } = place(decoded);
  const offset = offsetOf(at);
  const before = content.slice(0, offset);
  const after = content.slice(offset);
  const opening = before === "" || /\n$/.test(before) ? "" : "=\r\n";
  const quoted = quotedText(text);
  const closing = after === "" || /\n$/.test(quoted) ? "" : "=\r\n";
  return before + opening + quoted + closing + after;
}

interface Quoted {
  readonly decoded: string;
  /** Where the character that is decoded to the one at `at` begins in the encoded text. */
  offsetOf(at: number): number;
}

/** A soft line break, or a byte as two digits. */
const ESCAPE = /=(?:[ \t]*\r?\n|([0-9A-Fa-f]{2}))/g;

/** What stands between the escapes is taken as a whole: a text of 16 MB has no time for each of its characters. */
function decodeQuoted(content: string): Quoted {
  const pieces: string[] = [];
  /** Where pieces begin, decoded and encoded, in turns. */
  const begins: number[] = [];
  let length = 0;
  const add = (piece: string, from: number): void => {
    if (piece === "") return;
    begins.push(length, from);
    pieces.push(piece);
    length += piece.length;
  };
  let at = 0;
  for (const found of content.matchAll(ESCAPE)) {
    add(content.slice(at, found.index), at);
    if (found[1] !== undefined) add(String.fromCharCode(Number.parseInt(found[1], 16)), found.index);
    at = found.index + found[0].length;
  }
  add(content.slice(at), at);
  const offsetOf = (wanted: number): number => {
    if (wanted >= length) return content.length;
    let low = 0;
    for (let high = begins.length / 2; high - low > 1; ) {
      const middle = (low + high) >>> 1;
      if ((begins[2 * middle] ?? 0) <= wanted) low = middle;
      else high = middle;
    }
    return (begins[2 * low + 1] ?? 0) + wanted - (begins[2 * low] ?? 0);
  };
  return { decoded: pieces.join(""), offsetOf };
}

/** CRLF ends a line; what is not plain is encoded, and long lines are broken softly. */
function quotedText(text: string): string {
  return text
    .split("\r\n")
    .map((line) => {
      let quoted = "";
      let length = 0;
      for (const [index, character] of [...line].entries()) {
        const last = index === line.length - 1;
        const plain = /[!-<>-~]/.test(character) || (/[ \t]/.test(character) && !last);
        const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
        const part = plain ? character : `=${code}`;
        if (length + part.length > QUOTED_LINE - 1) {
          quoted += "=\r\n";
          length = 0;
        }
        quoted += part;
        length += part.length;
      }
      return quoted;
    })
    .join("\r\n");
}
