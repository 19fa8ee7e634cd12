import { encodeIn } from "./charset.ts";
import { type Part, partsOf, StructureError } from "./structure.ts";
import { insertEncoded, type Place } from "./transfer.ts";

/** A body with the signature in it, or why it has none. */
export type SignResult =
  | { readonly kind: "signed"; readonly body: Uint8Array }
  | { readonly kind: "unsigned"; readonly reason: string };

/** Headers of a message whose body somebody has signed, or that was prepared for that. */
const SIGNING_FIELDS = ["dkim-signature", "domainkey-signature", "arc-message-signature", "arc-seal"];
/** Parts that nobody may touch, nor what is beside or around them. */
const SEALED =
  /^(multipart\/(signed|encrypted|report)|application\/(x-)?pkcs7-(mime|signature)|application\/pgp-.*|message\/partial)$/;
const INLINE_PGP = /^-----BEGIN PGP (SIGNED )?MESSAGE-----/m;

/** Bytes of a text that is looked through for the place of the signature: it is no letter that is longer. */
const LONGEST_TEXT = 1024 * 1024;

interface Change {
  readonly start: number;
  readonly end: number;
  readonly content: string;
}

/**
 * Puts a signature at the end of a message's text (decisions 5; man page: --sign): into the first text/plain part, and
 * into the HTML form of the same text, each in its own character set and encoding. All other bytes stay as they are.
 * @param message header and body with CRLF line ends
 * @param signature with LF line ends
 */
export function signMessage(message: Uint8Array, signature: string): SignResult {
  const text = Buffer.from(message.buffer, message.byteOffset, message.length).toString("latin1");
  try {
    const whole = partsOf(text);
    if (whole.start >= text.length) return unsigned("it has no body");
    const obstacle = sealOf(whole, text);
    if (obstacle !== null) return unsigned(obstacle);
    const targets = targetsOf(whole);
    if (targets.length === 0) return unsigned("it has no text");
    if (targets.some(({ start, end }) => end - start > LONGEST_TEXT)) return unsigned("its text is too long");
    const changes = targets.map((part) => changeOf(part, text, signature));
    if (changes.some((change) => change === null)) return unsigned("its text is in an unknown form");
    let body = text;
    // From the end, so that what is in front stays where it is.
    for (const change of changes.filter((each) => each !== null).toSorted((a, b) => b.start - a.start)) {
      body = body.slice(0, change.start) + change.content + body.slice(change.end);
    }
    return { kind: "signed", body: Buffer.from(body.slice(whole.start), "latin1") };
  } catch (error) {
    if (error instanceof StructureError) return unsigned(error.message);
    throw error;
  }
}

function unsigned(reason: string): SignResult {
  return { kind: "unsigned", reason };
}

/** Why nothing may be changed, or null. */
function sealOf(whole: Part, text: string): string | null {
  const field = SIGNING_FIELDS.find((name) => whole.fields.has(name));
  if (field !== undefined) return `it has a ${field} header`;
  const sealed = allParts(whole).find((part) => SEALED.test(part.type) || part.fields.has("content-md5"));
  if (sealed !== undefined) return `it has a part of type ${sealed.type} that must stay as it is`;
  return INLINE_PGP.test(text.slice(whole.start)) ? "it is signed or encrypted with PGP" : null;
}

function allParts(part: Part): Part[] {
  return [part, ...part.parts.flatMap(allParts)];
}

/** The text in the forms that a reader may be shown: alternatives of one another, or the first text alone. */
function targetsOf(part: Part): Part[] {
  if (part.type === "multipart/alternative") {
    const plain = part.parts.find((each) => isText(each, "text/plain"));
    const html = allParts(part).find((each) => isText(each, "text/html"));
    return [plain, html].filter((each) => each !== undefined);
  }
  if (isText(part, "text/plain") || isText(part, "text/html")) return [part];
  for (const each of part.parts) {
    const found = targetsOf(each);
    if (found.length > 0) return found;
  }
  return [];
}

function isText(part: Part, type: string): boolean {
  // What is neither shown in its place nor attached is attached (RFC 2183, 2.8).
  return part.type === type && part.hasContent && ["", "inline"].includes(part.disposition);
}

function changeOf(part: Part, text: string, signature: string): Change | null {
  const charset = part.parameters.charset ?? "us-ascii";
  const html = part.type === "text/html";
  const lines = signature.replaceAll("\r\n", "\n").replace(/\n$/, "").split("\n");
  const bytes = encodeIn(charset, html ? htmlOf(lines) : `${lines.join("\r\n")}\r\n`);
  if (bytes === null) return null;
  const content = insertEncoded(
    text.slice(part.start, part.end),
    part.encoding,
    html ? beforeBodyEnd(bytes) : atEnd(bytes),
  );
  return content === null ? null : { start: part.start, end: part.end, content };
}

/** Behind the last line, which is ended first if it is not. */
function atEnd(text: string): Place {
  return (decoded) => {
    const ended = decoded === "" || decoded.endsWith("\n");
    return { at: decoded.length, text: ended ? text : `\r\n${text.replace(/\r\n$/, "")}` };
  };
}

function beforeBodyEnd(text: string): Place {
  return (decoded) => {
    const ends = [...decoded.matchAll(/<\/(body|html)\s*>/gi)];
    const last = ends.findLast((end) => end[1]?.toLowerCase() === "body") ?? ends.at(-1);
    return { at: last?.index ?? decoded.length, text };
  };
}

function htmlOf(lines: readonly string[]): string {
  const escaped = lines.map((line) =>
    line.replaceAll(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`),
  );
  return `<div>${escaped.join("<br>\r\n")}</div>\r\n`;
}
