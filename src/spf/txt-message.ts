/**
 * The part of DNS (RFC 1035, section 4) that questions about TXT records need. The runtime's own resolver gives each
 * piece of such a record as a record of its own, so that a policy longer than 255 bytes, or written in pieces, would
 * be read wrongly: half of `ip4:192.0.2.1/28` may be `ip4:192.0.2.1/2`.
 */

/** What a name server has answered. */
export type TxtAnswer =
  /** One character a byte. */
  | { readonly kind: "records"; readonly records: readonly (readonly string[])[] }
  /** There is more than a datagram takes. */
  | { readonly kind: "truncated" }
  /** The codes are those of c-ares: no such name, no such record, anything else. */
  | { readonly kind: "failed"; readonly code: "ENOTFOUND" | "ENODATA" | "ESERVFAIL" };

const HEADER = 12;
const TXT = 16;
const INTERNET = 1;
const RECURSION_DESIRED = 0x0100;
const RESPONSE = 0x8000;
const TRUNCATED = 0x0200;
const CODE = 0x000f;
const NAME_ERROR = 3;
const LONGEST_NAME = 253;
const LONGEST_LABEL = 63;
/** The two bits that make a length a pointer. */
const POINTER = 0xc0;
/** Bytes of a record between its name and its data. */
const RECORD_HEADER = 10;

/**
 * A question for all TXT records of a name.
 * @param id 0 to 65,535
 * @throws Error with the code `EBADNAME`
 */
export function txtQuestion(id: number, name: string): Buffer {
  const bare = name.replace(/\.$/, "");
  const labels = bare.split(".").map((label) => Buffer.from(label, "latin1"));
  if (bare.length > LONGEST_NAME || labels.some(({ length }) => length === 0 || length > LONGEST_LABEL)) {
    throw Object.assign(new Error(`${name.slice(0, LONGEST_NAME)} is no name`), { code: "EBADNAME" });
  }
  const header = Buffer.alloc(HEADER);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(RECURSION_DESIRED, 2);
  header.writeUInt16BE(1, 4);
  const parts = labels.flatMap((label) => [Buffer.from([label.length]), label]);
  return Buffer.concat([header, ...parts, Buffer.from([0, 0, TXT, 0, INTERNET])]);
}

/** What an answer says; null: it is none to that question, or cannot be read. */
export function readTxtAnswer(question: Buffer, answer: Buffer): TxtAnswer | null {
  if (answer.length < question.length || answer.readUInt16BE(0) !== question.readUInt16BE(0)) return null;
  const flags = answer.readUInt16BE(2);
  // Some servers repeat the name with other capitals.
  const asked = (message: Buffer): string =>
    message.toString("latin1", HEADER, question.length).toLowerCase();
  if ((flags & RESPONSE) === 0 || answer.readUInt16BE(4) !== 1 || asked(answer) !== asked(question))
    return null;
  const code = flags & CODE;
  if (code === NAME_ERROR) return { kind: "failed", code: "ENOTFOUND" };
  if (code !== 0) return { kind: "failed", code: "ESERVFAIL" };
  if ((flags & TRUNCATED) !== 0) return { kind: "truncated" };
  const records = readRecords(answer, question.length, answer.readUInt16BE(6));
  if (records === null) return null;
  return records.length === 0 ? { kind: "failed", code: "ENODATA" } : { kind: "records", records };
}

function readRecords(answer: Buffer, start: number, count: number): string[][] | null {
  const records: string[][] = [];
  let at = start;
  for (let left = count; left > 0; left--) {
    const head = nameEnd(answer, at);
    if (head === null || head + RECORD_HEADER > answer.length) return null;
    const data = head + RECORD_HEADER;
    at = data + answer.readUInt16BE(data - 2);
    if (at > answer.length) return null;
    if (answer.readUInt16BE(head) !== TXT || answer.readUInt16BE(head + 2) !== INTERNET) continue;
    const pieces = readPieces(answer.subarray(data, at));
    if (pieces === null) return null;
    records.push(pieces);
  }
  return records;
}

/** The place behind a name, which may end with a pointer. */
function nameEnd(answer: Buffer, start: number): number | null {
  for (let at = start; at < answer.length; ) {
    const length = answer[at] ?? 0;
    if (length === 0) return at + 1;
    if ((length & POINTER) === POINTER) return at + 2;
    if ((length & POINTER) !== 0) return null;
    at += 1 + length;
  }
  return null;
}

function readPieces(data: Buffer): string[] | null {
  const pieces: string[] = [];
  for (let at = 0; at < data.length; ) {
    const end = at + 1 + (data[at] ?? 0);
    if (end > data.length) return null;
    pieces.push(data.toString("latin1", at + 1, end));
    at = end;
  }
  return pieces;
}
