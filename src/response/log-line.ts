import { wireText } from "../log/text.ts";
import type { ScanVerdict } from "../scan/verdict.ts";
import type { Outcome } from "./plan.ts";

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

/** The one line a message has in the log: `QUEUEID: outcome key=value …`. */
export function messageLine(record: MessageRecord): string {
  const { scan } = record;
  const parts = [`${value(record.queueId)}: ${record.outcome}`];
  if (scan.kind === "infected") parts.push(`virus="${scan.names.map(quotable).join(", ")}"`);
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

function recipientList({ recipients, recipientCount }: MessageRecord): string {
  const shown = recipients.slice(0, SHOWN_RECIPIENTS).map(value).join(",");
  const more = recipientCount - Math.min(recipients.length, SHOWN_RECIPIENTS);
  return more > 0 ? `${shown} (and ${more} more)` : shown;
}

/** A text from outside as a value: no blank or quote of it can be taken for ours. */
function value(binary: string): string {
  return quotable(binary).replaceAll(" ", "\\x20");
}

/** A text from outside, for between quotes. */
function quotable(binary: string): string {
  return wireText(binary)
    .slice(0, 320)
    .replaceAll(/["\\]/g, (character) => `\\${character}`);
}
