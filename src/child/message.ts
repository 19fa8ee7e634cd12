import { Spool, SpoolError } from "../scan/spool.ts";
import type { SpoolEdge } from "../scan/spool-edge.ts";
import type { ScanVerdict } from "../scan/verdict.ts";

/**
 * The header line in front of what is scanned. The scanner tells what a stream is by its first bytes: without
 * this line a message whose first header is named like a file signature (`%PDF-1.4: x`) is not parsed as mail,
 * and clamd 1.4.6 calls the virus in its attachment clean.
 */
const FRONT = "Received: by clamav-milter\r\n";
/** Bytes that a message's spool has in front of the message. */
export const FRONT_LENGTH = FRONT.length;
const STATUS = "x-virus-status";
/** The header that our own mail has (decisions 6). */
const OWN_CODE = "x-clamav-milter-code";
/** Characters that are kept of a value. */
const KEPT_VALUE = 4096;
const KEPT_CODE = 16_384;
const KEPT_ORIGIN = 1024;
/** Recipients kept by name, and bytes of each; more are counted. No MTA takes longer addresses. */
const KEPT_RECIPIENTS = 1000;
const LONGEST_RECIPIENT = 1024;
/** Status headers of one message that can be deleted: more are an attack, not a mail. */
const MAX_STATUS_HEADERS = 1000;

/** The message in hand: its envelope, and its bytes for the scanner. */
export class Message {
  readonly sender: string;
  readonly recipients: string[] = [];
  readonly spool: Spool;
  recipientCount = 0;
  /** X-Virus-Status headers of the sender's. */
  statusHeaders = 0;
  fromMdaemon = false;
  /** The first Subject as it is, with the blank after the colon. */
  subject: string | null = null;
  /** The first From: header lines: more than one is one too many. */
  readonly authors: string[] = [];
  /** What may show that the message is our own. */
  messageId = "";
  ownCode: string | null = null;
  /** The last Received: line that tells of a program which sends from its own machine, or "" (CB 4.6). */
  origin = "";
  /** Whether all recipients are known, and whole. */
  allRecipients = true;
  readonly #limit: number;
  #bytes = 0;
  #inBody = false;
  /** Why the message cannot be scanned, once that is sure. */
  #obstacle: ScanVerdict | null = null;

  constructor(edge: SpoolEdge, limit: number, sender: string) {
    this.sender = sender;
    this.spool = new Spool(edge);
    this.#limit = limit;
    this.#append(FRONT);
  }

  /** Bytes of the message that were seen, as the scanner is given them. */
  get size(): number {
    return this.#bytes - FRONT.length;
  }

  addRecipient(recipient: string): void {
    this.recipientCount++;
    const known = this.recipients.length < KEPT_RECIPIENTS;
    if (known) this.recipients.push(recipient.slice(0, LONGEST_RECIPIENT));
    if (!known || recipient.length > LONGEST_RECIPIENT) this.allRecipients = false;
  }

  /** @param value with the blank after the colon, as it stood in the message */
  addHeader(name: string, value: string): void {
    this.#note(name.toLowerCase(), value);
    // MTAs hand over folded values with bare line feeds; in a message they are CRLF.
    const folded = value.includes("\n") ? value.replaceAll(/\r?\n/g, "\r\n") : value;
    this.#append(`${name}:${folded}\r\n`);
  }

  endHeaders(): void {
    if (this.#inBody) return;
    this.#inBody = true;
    this.#append("\r\n");
  }

  /** "skip": what follows changes nothing any more. */
  addBody(bytes: Uint8Array): "continue" | "skip" {
    this.endHeaders();
    this.#append(bytes);
    return this.#obstacle === null ? "continue" : "skip";
  }

  /** No more follows. Answers the verdict if it is sure without a scan. */
  complete(): ScanVerdict | null {
    this.endHeaders();
    return this.#obstacle;
  }

  close(): void {
    this.spool.close();
  }

  #append(part: string | Uint8Array): void {
    this.#bytes += part.length;
    if (this.#obstacle !== null) return;
    if (this.#limit > 0 && this.#bytes > this.#limit) {
      this.#give({ kind: "oversize", reason: "StreamMaxLength exceeded", server: null });
      return;
    }
    try {
      if (typeof part === "string") this.spool.appendText(part);
      else this.spool.append(part);
    } catch (error) {
      if (!(error instanceof SpoolError)) throw error;
      this.#give({ kind: "failed", reason: error.message, header: null, server: null });
    }
  }

  /** Remembers the header lines that answers depend on. */
  #note(name: string, value: string): void {
    if (name === STATUS) this.#countStatus();
    else if (name === "subject") this.subject ??= value.slice(0, KEPT_VALUE);
    else if (name === "from") {
      if (this.authors.length < 2) this.authors.push(value.slice(0, KEPT_VALUE));
    } else if (name === OWN_CODE) this.ownCode ??= value.slice(0, KEPT_CODE);
    else if (name === "received") {
      if (/^\s*from\s/i.test(value) && /localhost/i.test(value))
        this.origin = value.trim().slice(0, KEPT_ORIGIN);
    } else if (name === "message-id") {
      this.messageId = value.trim().slice(0, LONGEST_RECIPIENT);
      if (this.messageId.startsWith("<MDAEMON")) this.fromMdaemon = true;
    }
  }

  #countStatus(): void {
    if (++this.statusHeaders <= MAX_STATUS_HEADERS) return;
    this.#give({
      kind: "failed",
      reason: `more than ${MAX_STATUS_HEADERS} X-Virus-Status headers`,
      header: null,
      server: null,
    });
  }

  #give(obstacle: ScanVerdict): void {
    this.#obstacle = obstacle;
    this.spool.close();
  }
}
