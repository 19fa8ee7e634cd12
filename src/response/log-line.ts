import type { LogFields } from "../log/event.ts";
import { cutBytes, oneLine, wireText } from "../log/text.ts";
import type { ScanVerdict } from "../scan/verdict.ts";
import type { Outcome } from "./rules.ts";

/** One message, as the log tells it. Texts from the wire are "binary" strings. */
export interface MessageRecord {
  readonly queueId: string;
  readonly sender: string;
  /** The first of them; `recipientCount` says how many there were. */
  readonly recipients: readonly string[];
  readonly recipientCount: number;
  readonly clientHost: string;
  readonly clientAddress: string;
  readonly size: number;
  readonly scan: ScanVerdict;
  readonly outcome: Outcome;
  /** From the end of the message to the answer. */
  readonly milliseconds: number;
}

/** More recipients than these are counted only. */
const SHOWN_RECIPIENTS = 20;
/** So are those after this many bytes: what comes behind them must not be pushed out of the line. */
const RECIPIENTS_LENGTH = 1200;
/** The longest address of RFC 5321 has 320 octets. */
const VALUE_LENGTH = 320;
/** Bytes of a text from outside that are looked at: enough for VALUE_LENGTH characters. */
const VALUE_BYTES = 4 * VALUE_LENGTH;
/** Bytes of a text from outside with its escapes: so the whole line stays within what a log takes. */
const ESCAPED_LENGTH = 400;

/** The one line a message has in the log: `QUEUEID: outcome key=value …`. */
export function messageLine(record: MessageRecord): string {
  const { scan } = record;
  const parts = [`${value(record.queueId)}: ${record.outcome}`];
  if (scan.kind === "infected")
    parts.push(`virus="${clip(scan.names.map(quotable).join(", "), ESCAPED_LENGTH)}"`);
  if (scan.kind === "oversize" || scan.kind === "failed") parts.push(`reason="${quotable(scan.reason)}"`);
  parts.push(
    `from=${value(record.sender)}`,
    `to=${recipientList(record)}`,
    `client=${value(record.clientHost)}[${value(record.clientAddress)}]`,
    `size=${record.size}`,
  );
  if (scan.server !== null) parts.push(`server=${scan.server}`);
  parts.push(`ms=${Math.round(record.milliseconds)}`);
  return parts.join(" ");
}

/** The same for programs, in parts. Texts from outside are as they are: whoever writes them escapes them. */
export function messageFields(record: MessageRecord): LogFields {
  const { scan } = record;
  return {
    event: "message",
    queueId: field(record.queueId),
    outcome: record.outcome,
    ...(scan.kind === "infected" ? { virus: scan.names.map(field) } : {}),
    ...(scan.kind === "oversize" || scan.kind === "failed" ? { reason: field(scan.reason) } : {}),
    from: field(record.sender),
    to: record.recipients.slice(0, SHOWN_RECIPIENTS).map(field),
    recipients: record.recipientCount,
    client: { host: field(record.clientHost), address: field(record.clientAddress) },
    size: record.size,
    server: scan.server,
    ms: Math.round(record.milliseconds),
  };
}

function recipientList({ recipients, recipientCount }: MessageRecord): string {
  let list = "";
  let shown = 0;
  for (const recipient of recipients.slice(0, SHOWN_RECIPIENTS)) {
    const next = value(recipient);
    if (Buffer.byteLength(list) + Buffer.byteLength(next) > RECIPIENTS_LENGTH) break;
    list += shown++ === 0 ? next : `,${next}`;
  }
  return recipientCount > shown ? `${list} (and ${recipientCount - shown} more)` : list;
}

/** A text from outside as a value: no blank or quote of it can be taken for ours. */
export function value(binary: string): string {
  return clip(quotable(binary).replaceAll(" ", "\\x20"), ESCAPED_LENGTH);
}

/** A text from outside, for between quotes. */
function quotable(binary: string): string {
  const escaped = field(binary).replaceAll(/["\\]/g, (character) => `\\${character}`);
  return clip(oneLine(escaped), ESCAPED_LENGTH);
}

/** A text from outside without escapes. */
export function field(binary: string): string {
  if (binary.length <= VALUE_BYTES) return wireText(binary).slice(0, VALUE_LENGTH);
  // Cut between characters: half of one would make the whole look like something other than UTF-8.
  const whole = binary.slice(0, VALUE_BYTES).replace(/[\xc0-\xff][\x80-\xbf]{0,3}$/, "");
  return wireText(whole).slice(0, VALUE_LENGTH);
}

/** Without half an escape at the end, which would make one of what follows. */
function clip(escaped: string, bytes: number): string {
  const cut = cutBytes(escaped, bytes);
  return cut.length === escaped.length ? cut : cut.replace(/\\+[^\\]{0,3}$/, "");
}
