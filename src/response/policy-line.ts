import type { LogFields } from "../log/event.ts";
import { cutBytes, oneLine, wireText } from "../log/text.ts";
import { field, value } from "./log-line.ts";

/** Bytes of a reason: a sentence of ours with one address in it. */
const REASON_LENGTH = 800;

/** A decision that was made without a scan, as the log tells it. Texts from the wire are "binary" strings. */
export interface PolicyRecord {
  readonly queueId: string;
  readonly outcome: "not scanned" | "discarded" | "rejected";
  /** The rule that decided. */
  readonly rule: string;
  /** A sentence; what of it comes from the wire has neither blanks nor quotes. */
  readonly reason: string;
  /** Null: the decision is about the whole connexion. */
  readonly sender: string | null;
  readonly clientHost: string;
  readonly clientAddress: string;
}

/** One line: `QUEUEID: REASON key=value …`. */
export function policyLine(record: PolicyRecord): string {
  const client = `client=${value(record.clientHost)}[${value(record.clientAddress)}]`;
  const reason = cutBytes(oneLine(wireText(record.reason)), REASON_LENGTH);
  if (record.sender === null) return `not scanned: ${client}: ${reason}`;
  // What the classic's lines said stays as it was; a rule that lets mail pass says that in front.
  const said = record.outcome === "not scanned" ? `not scanned reason="${reason}"` : reason;
  return `${value(record.queueId)}: ${said} from=${value(record.sender)} ${client}`;
}

/** The same for programs, in parts. */
export function policyFields(record: PolicyRecord): LogFields {
  return {
    event: record.sender === null ? "connexion" : "message",
    queueId: field(record.queueId),
    outcome: record.outcome,
    rule: record.rule,
    reason: wireText(record.reason).slice(0, REASON_LENGTH),
    ...(record.sender === null ? {} : { from: field(record.sender) }),
    client: { host: field(record.clientHost), address: field(record.clientAddress) },
  };
}
