import { Spool, type SpoolEdge, SpoolError } from "../scan/spool.ts";
import type { ScanVerdict } from "../scan/verdict.ts";

/**
 * The header line in front of what is scanned. The scanner tells what a stream is by its first bytes: without
 * this line a message whose first header is named like a file signature (`%PDF-1.4: x`) is not parsed as mail,
 * and clamd 1.4.6 calls the virus in its attachment clean.
 */
const FRONT = "Received: by clamav-milter\r\n";
const STATUS = "x-virus-status";
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
    if (this.recipients.length < KEPT_RECIPIENTS) this.recipients.push(recipient.slice(0, LONGEST_RECIPIENT));
  }

  /** @param value with the blank after the colon, as it stood in the message */
  addHeader(name: string, value: string): void {
    if (name.length === STATUS.length && name.toLowerCase() === STATUS) this.#countStatus();
    if (name.toLowerCase() === "message-id" && value.trimStart().startsWith("<MDAEMON")) {
      this.fromMdaemon = true;
    }
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
