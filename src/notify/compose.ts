import { type EncodedBody, encodedBody } from "./body.ts";
import { domainOf, type Field } from "./header-field.ts";

/** What makes one mail differ from all others. */
export interface Stamp {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Random, for the message id: letters and digits. */
  readonly token: string;
  /** The host that the mail is from. */
  readonly host: string;
}

/** A mail that is ready to be sent. */
export interface ComposedMail {
  /** Without brackets. */
  readonly messageId: string;
  /** Header and body, with LF line ends. */
  readonly bytes: Buffer;
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A time as RFC 5322, section 3.3, writes it. @param time milliseconds since 1970 */
export function mailDate(time: number): string {
  const at = new Date(time);
  const two = (number: number): string => String(number).padStart(2, "0");
  const clock = [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(two).join(":");
  return `${DAYS[at.getUTCDay()]}, ${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()} ${clock} +0000`;
}

/**
 * A whole mail by a program: with date, message id, and the word that nobody is to answer it (RFC 3834).
 * @param fields must have From and To; one of them takes the place of a field of the same name that would be added
 * @param text the body with LF line ends, in the character set that `fields` name, else UTF-8
 */
export function composeMail(fields: readonly Field[], text: Buffer, stamp: Stamp): ComposedMail {
  const given = new Set(fields.map(([name]) => name.toLowerCase()));
  const encoded: EncodedBody = given.has("content-transfer-encoding")
    ? { fields: [], bytes: text }
    : encodedBody(text);
  const messageId = `${stamp.time}.${stamp.token}.clamav-milter@${domainOf(stamp.host)}`;
  const added: readonly Field[] = [
    ["Date", mailDate(stamp.time)],
    ["Message-ID", `<${messageId}>`],
    ["Auto-Submitted", "auto-generated (virus filter)"],
    ["MIME-Version", "1.0"],
    ["Content-Type", "text/plain; charset=utf-8"],
    ...encoded.fields,
  ];
  const header = [...fields, ...added.filter(([name]) => !given.has(name.toLowerCase()))];
  const head = header.map(([name, value]) => `${name}: ${value}\n`).join("");
  const end = encoded.bytes.at(-1) === 0x0a ? "" : "\n";
  return {
    messageId,
    // One character a byte: a template's header may be in another character set.
    bytes: Buffer.concat([Buffer.from(`${head}\n`, "latin1"), encoded.bytes, Buffer.from(end)]),
  };
}
