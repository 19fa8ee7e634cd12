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
  const { decoded, offsets } = decodeQuoted(content);
  const { at, text } = place(decoded);
  const offset = offsets[at] ?? content.length;
  const before = content.slice(0, offset);
  const after = content.slice(offset);
  const opening = before === "" || /\n$/.test(before) ? "" : "=\r\n";
  const quoted = quotedText(text);
  const closing = after === "" || /\n$/.test(quoted) ? "" : "=\r\n";
  return before + opening + quoted + closing + after;
}

/** A decoded text, and for each of its characters where it begins in the encoded one. */
function decodeQuoted(content: string): { decoded: string; offsets: readonly number[] } {
  let decoded = "";
  const offsets: number[] = [];
  for (let at = 0; at < content.length; ) {
    const soft = /^=[ \t]*\r?\n/.exec(content.slice(at, at + 80))?.[0];
    if (soft !== undefined) {
      at += soft.length;
      continue;
    }
    const code = /^=([0-9A-Fa-f]{2})/.exec(content.slice(at, at + 3))?.[1];
    offsets.push(at);
    decoded += code === undefined ? content.charAt(at) : String.fromCharCode(Number.parseInt(code, 16));
    at += code === undefined ? 1 : 3;
  }
  return { decoded, offsets };
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
