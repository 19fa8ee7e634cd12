import { ClamdError } from "./clamd-error.ts";

/** What clamd said of one stream. */
export type ScanReply =
  | { readonly kind: "clean" }
  | { readonly kind: "infected"; readonly name: string }
  /** A limit of the scanner was reached before it was through: no infection, and not clean either. */
  | { readonly kind: "limitExceeded"; readonly name: string }
  /** The stream is longer than clamd's own StreamMaxLength. */
  | { readonly kind: "tooLarge" }
  /** clamd could not scan; its own words. */
  | { readonly kind: "failed"; readonly text: string };

/** A reply within an IDSESSION: the number of the command that it answers, and the rest. */
export interface NumberedReply {
  /** From 1 on; null when clamd spoke of the connexion as a whole (`COMMAND READ TIMED OUT`). */
  readonly id: number | null;
  readonly text: string;
}

/** No reply of a sane clamd is longer; a name of that length is not believed. */
export const MAX_REPLY_BYTES = 65_536;

const NUL = 0x00;
const LINE_FEED = 0x0a;
const LIMITS = "Heuristics.Limits.Exceeded";
const FOUND = " FOUND";
const ERROR = " ERROR";
const OK = "OK";
/** clamd names what it was sent: a stream, or the number that the passed descriptor has with it. */
const STREAM = /^stream: /;
const DESCRIPTOR = /^fd\[\d{1,10}\]: /;
const TOO_LARGE = "INSTREAM size limit exceeded. ERROR";

/**
 * Cuts what clamd sends into replies. They end with the NUL that `z` commands are answered with, or with a line
 * feed: clamd ends `COMMAND READ TIMED OUT` so even then (clamd, server-th.c).
 */
export class ReplyDecoder {
  #kept = "";

  /** Characters of an unfinished reply that are held. */
  get held(): number {
    return this.#kept.length;
  }

  /**
   * The replies that are whole now, in order.
   * @throws ClamdError `CLAMD_PROTOCOL` when one is longer than MAX_REPLY_BYTES; replies in front of it in `bytes` are
   *   lost, too, and the message is scanned anew
   */
  push(bytes: Uint8Array): string[] {
    const replies: string[] = [];
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte !== NUL && byte !== LINE_FEED) continue;
      this.#keep(bytes.subarray(from, at));
      if (this.#kept !== "") replies.push(this.#kept);
      this.#kept = "";
      from = at + 1;
    }
    this.#keep(bytes.subarray(from));
    return replies;
  }

  #keep(bytes: Uint8Array): void {
    if (this.#kept.length + bytes.length > MAX_REPLY_BYTES) {
      throw new ClamdError("CLAMD_PROTOCOL", `a reply is longer than ${MAX_REPLY_BYTES} bytes`);
    }
    if (bytes.length > 0) {
      this.#kept += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
    }
  }
}

/** Splits `<id>: reply`. */
export function parseNumbered(text: string): NumberedReply {
  const match = /^(\d{1,10}): ?/.exec(text);
  if (match === null) return { id: null, text };
  return { id: Number(match[1]), text: text.slice(match[0].length) };
}

/**
 * What a reply to INSTREAM or FILDES says. The words are taken from its right end and the `stream: ` or `fd[12]: `
 * from its left, so that a name may have any characters; whatever is not understood is a failure, never clean.
 * @param passed whether a descriptor was passed
 */
export function parseScanReply(text: string, passed = false): ScanReply {
  if (text === TOO_LARGE) return { kind: "tooLarge" };
  if (text.endsWith(ERROR)) return { kind: "failed", text: text.slice(0, -ERROR.length) };
  const subject = (passed ? DESCRIPTOR : STREAM).exec(text)?.[0] ?? "";
  if (subject !== "" && text.length === subject.length + OK.length && text.endsWith(OK))
    return { kind: "clean" };
  if (subject !== "" && text.endsWith(FOUND)) {
    const name = text.slice(subject.length, -FOUND.length);
    if (name.length > 0) return { kind: name.startsWith(LIMITS) ? "limitExceeded" : "infected", name };
  }
  return { kind: "failed", text: `not understood: ${text}` };
}
