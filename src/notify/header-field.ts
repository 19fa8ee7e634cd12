import { mailableAddress, oneLineText } from "./safe-text.ts";

/** A line of this length is folded if it can be (RFC 5322, 2.1.1). */
const USUAL_LINE = 78;
/** Bytes of text in one encoded word, whose base64 form then has less than 75 characters with its frame. */
const WORD_BYTES = 42;
/** Characters of a free text in a header of ours. */
const LONGEST_TEXT = 500;

/** Characters of a name in front of an address: within quotes it cannot be folded, and may become twice as long. */
const LONGEST_NAME = 400;

/** A header field: its name, and a value that is ready for a message, folded with LF and blanks. */
export type Field = readonly [name: string, value: string];

/** A field of free text: control characters are gone, what is not ASCII is encoded (RFC 2047). */
export function textField(name: string, text: string): Field {
  return [name, folded(name, encodedText(oneLineText(text, LONGEST_TEXT)).split(" "))];
}

/** A field of addresses that `mailableAddress` has passed, qualified by `host` where they have no domain. */
export function addressField(name: string, addresses: readonly string[], host: string): Field {
  const list = addresses.map((address) => qualified(address, host));
  return [
    name,
    folded(
      name,
      list.map((address, at) => (at < list.length - 1 ? `${address},` : address)),
    ),
  ];
}

/**
 * A `From:` field from what an administrator has written: an address, or a name and an address in angle brackets.
 * Anything else becomes a display name in front of `MAILER-DAEMON`.
 */
export function fromField(text: string, host: string): Field {
  const safe = oneLineText(text, LONGEST_TEXT);
  const plain = mailableAddress(safe);
  if (plain !== null) return ["From", qualified(plain, host)];
  const parts = /^(.*?)\s*<([^<>]+)>$/.exec(safe);
  const address = parts === null ? null : mailableAddress(parts[2] ?? "");
  const name = address === null ? safe : (parts?.[1] ?? "");
  const path = `<${qualified(address ?? "MAILER-DAEMON", host)}>`;
  return ["From", name === "" ? path : folded("From", [...displayName(name).split(" "), path])];
}

function displayName(name: string): string {
  const bare = name.replace(/^"(.*)"$/, "$1").slice(0, LONGEST_NAME);
  if (/[^\x20-\x7e]/.test(bare)) return encodedText(bare);
  if (/^[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]+$/.test(bare) && !bare.includes("=?")) return bare;
  return `"${bare.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`;
}

function qualified(address: string, host: string): string {
  return address.includes("@") ? address : `${address}@${host}`;
}

/** A host name that can stand behind the @ of an address or message id. */
export function domainOf(host: string): string {
  return /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(host) && !host.includes("..")
    ? host
    : "localhost.invalid";
}

/** A text as it is when it is printable ASCII that nobody takes for an encoded word, else as encoded words. */
function encodedText(text: string): string {
  if (!/[^\x20-\x7e]/.test(text) && !text.includes("=?")) return text;
  const words: string[] = [];
  let word = "";
  for (const character of text.toWellFormed()) {
    if (Buffer.byteLength(word) + Buffer.byteLength(character) > WORD_BYTES) {
      words.push(word);
      word = "";
    }
    word += character;
  }
  if (word !== "") words.push(word);
  return words.map((each) => `=?UTF-8?B?${Buffer.from(each).toString("base64")}?=`).join(" ");
}

/** Words as lines, broken at the blanks between them. Only a single long word makes a long line. */
function folded(name: string, words: readonly string[]): string {
  let value = "";
  let line = name.length + 2;
  for (const [at, word] of words.entries()) {
    if (at > 0) {
      // A line of nothing but blanks would end the header for some readers.
      const fold = line + 1 + word.length > USUAL_LINE && word !== "" && !/[\n ]$/.test(value);
      value += fold ? "\n " : " ";
      line = fold ? 1 : line + 1;
    }
    value += word;
    line += word.length;
  }
  return value;
}
