import type { Field } from "./header-field.ts";

/** Bytes of a line without its end (RFC 5322, 2.1.1). */
const LONGEST_LINE = 998;
/** Characters of a line of quoted-printable (RFC 2045, 6.7). */
const QUOTED_LINE = 76;

/** A body with the header fields that tell how to read it. */
export interface EncodedBody {
  readonly fields: readonly Field[];
  readonly bytes: Buffer;
}

/** Whether bytes can travel as they are: ASCII in lines that are not too long, without NUL. */
export function isPlain(bytes: Uint8Array): boolean {
  let line = 0;
  for (const byte of bytes) {
    if (byte === 0x0a) line = 0;
    else if (byte === 0 || byte === 0x0d || byte > 0x7e || ++line > LONGEST_LINE) return false;
  }
  return true;
}

/** Text of whatever character set, with LF line ends, in an encoding that every MTA carries unchanged. */
export function encodedBody(bytes: Buffer): EncodedBody {
  if (isPlain(bytes)) return { fields: [["Content-Transfer-Encoding", "7bit"]], bytes };
  return { fields: [["Content-Transfer-Encoding", "quoted-printable"]], bytes: quotedPrintable(bytes) };
}

/** Bytes as quoted-printable; LF ends a line. */
export function quotedPrintable(bytes: Uint8Array): Buffer {
  const lines = Buffer.from(bytes).toString("latin1").split("\n");
  return Buffer.from(lines.map(quotedLine).join("\n"), "latin1");
}

function quotedLine(line: string): string {
  let text = "";
  let length = 0;
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at);
    const last = at === line.length - 1;
    const blank = character === " " || character === "\t";
    const plain = blank ? !last : /[!-<>-~]/.test(character);
    const part = plain
      ? character
      : `=${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
    // Room for the soft line break, which only the last part does not need.
    if (length + part.length > QUOTED_LINE - (last ? 0 : 1)) {
      text += "=\n";
      length = 0;
    }
    text += part;
    length += part.length;
  }
  return text;
}
