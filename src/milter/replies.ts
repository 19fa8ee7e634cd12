import { writeUint32 } from "../wire/uint32.ts";
import { Reply } from "./codes.ts";
import { encodeFrame } from "./frame.ts";

/** A change to the message, legal only as part of the answer to the end of the message. */
export type Modification =
  | { readonly kind: "addHeader"; readonly name: string; readonly value: string }
  | { readonly kind: "insertHeader"; readonly index: number; readonly name: string; readonly value: string }
  /** `index` counts the headers of that name from 1; an empty value deletes. */
  | { readonly kind: "changeHeader"; readonly index: number; readonly name: string; readonly value: string }
  | { readonly kind: "addRecipient"; readonly recipient: string; readonly parameters?: string }
  | { readonly kind: "deleteRecipient"; readonly recipient: string }
  | { readonly kind: "changeSender"; readonly sender: string; readonly parameters?: string }
  | { readonly kind: "replaceBody"; readonly bytes: Uint8Array }
  | { readonly kind: "quarantine"; readonly reason: string };

/** What a stage is answered with. */
export type Verdict =
  | { readonly kind: "continue" }
  | { readonly kind: "accept" }
  | { readonly kind: "reject" }
  | { readonly kind: "tempfail" }
  | { readonly kind: "discard" }
  /** An SMTP reply of our own: `lines` without code, enhanced code or line ends. */
  | {
      readonly kind: "reply";
      readonly code: number;
      readonly enhanced: string;
      readonly lines: readonly string[];
    };

/** libmilter's limits on a reply text (smfi.c): what an MTA takes. */
const MAX_REPLY_LINES = 32;
const MAX_REPLY_LINE = 980;
/** The longest piece of a body in one SMFIR_REPLBODY. */
const MAX_BODY_PIECE = 65535;

const VERDICT_LETTERS = {
  continue: Reply.continue,
  accept: Reply.accept,
  reject: Reply.reject,
  tempfail: Reply.tempfail,
  discard: Reply.discard,
} as const;

const PLAIN_FRAMES: ReadonlyMap<number, Uint8Array> = new Map(
  [...Object.values(VERDICT_LETTERS), Reply.skip, Reply.progress].map((letter) => [
    letter,
    encodeFrame(letter),
  ]),
);

/** SMFIR_PROGRESS: the MTA's timer begins anew. */
export const PROGRESS: Uint8Array = plain(Reply.progress);
/** SMFIR_SKIP: no more of the body is wanted. */
export const SKIP: Uint8Array = plain(Reply.skip);

function plain(letter: number): Uint8Array {
  return PLAIN_FRAMES.get(letter) ?? encodeFrame(letter);
}

/** A verdict as one frame. */
export function encodeVerdict(verdict: Verdict): Uint8Array {
  if (verdict.kind !== "reply") return plain(VERDICT_LETTERS[verdict.kind]);
  return encodeFrame(Reply.replyCode, cString(replyText(verdict.code, verdict.enhanced, verdict.lines)));
}

/**
 * The text of SMFIR_REPLYCODE: within libmilter's limits, without line ends or NUL inside a line, and with `%`
 * doubled, since sendmail formats it and Postfix undoes that.
 * @throws RangeError when the code is not 4xx or 5xx or the enhanced code is of another class
 */
export function replyText(code: number, enhanced: string, lines: readonly string[]): string {
  if (code < 400 || code > 599) throw new RangeError(`SMTP code ${code} is neither 4xx nor 5xx`);
  if (!/^[45]\.\d{1,3}\.\d{1,3}$/.test(enhanced) || enhanced[0] !== String(code)[0]) {
    throw new RangeError(`enhanced code ${enhanced} does not go with ${code}`);
  }
  const kept = (lines.length > 0 ? lines : [""]).slice(0, MAX_REPLY_LINES);
  return kept
    .map((line, at) => {
      return `${code}${at < kept.length - 1 ? "-" : " "}${enhanced} ${replyLine(line)}`;
    })
    .join("\r\n");
}

/** One line made safe; what is cut away never leaves half of a doubled `%`. */
function replyLine(line: string): string {
  const safe = line
    .replaceAll(/[\0\r\n]+/g, " ")
    .replaceAll("%", "%%")
    .slice(0, MAX_REPLY_LINE);
  const percents = /%*$/.exec(safe)?.[0].length ?? 0;
  return percents % 2 === 1 ? safe.slice(0, -1) : safe;
}

/** A modification as frames, in the order in which they must be sent. */
export function encodeModification(change: Modification): Uint8Array[] {
  switch (change.kind) {
    case "addHeader":
      return [encodeFrame(Reply.addHeader, cString(change.name), cString(change.value))];
    case "insertHeader":
      return [
        encodeFrame(Reply.insertHeader, number(change.index), cString(change.name), cString(change.value)),
      ];
    case "changeHeader":
      return [
        encodeFrame(Reply.changeHeader, number(change.index), cString(change.name), cString(change.value)),
      ];
    case "addRecipient":
      return [
        change.parameters === undefined
          ? encodeFrame(Reply.addRecipient, cString(change.recipient))
          : encodeFrame(
              Reply.addRecipientWithArguments,
              cString(change.recipient),
              cString(change.parameters),
            ),
      ];
    case "deleteRecipient":
      return [encodeFrame(Reply.deleteRecipient, cString(change.recipient))];
    case "changeSender":
      return [
        encodeFrame(
          Reply.changeSender,
          cString(change.sender),
          ...(change.parameters === undefined ? [] : [cString(change.parameters)]),
        ),
      ];
    case "replaceBody":
      return bodyPieces(change.bytes);
    case "quarantine":
      return [encodeFrame(Reply.quarantine, cString(change.reason))];
  }
}

function bodyPieces(bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += MAX_BODY_PIECE) {
    frames.push(encodeFrame(Reply.replaceBody, bytes.subarray(at, at + MAX_BODY_PIECE)));
  }
  return frames;
}

function number(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeUint32(bytes, 0, value);
  return bytes;
}

/** A character that is no byte would lose its upper half, and U+010A would end a line: it is a question mark. */
function cString(text: string): Uint8Array {
  return Buffer.from(`${text.replaceAll("\0", "").replaceAll(/[^\0-\xff]/g, "?")}\0`, "latin1");
}
