/** One part of a message: where its header and its content are, in bytes of the whole. */
export interface Part {
  /** Lower case, such as `text/plain`. */
  readonly type: string;
  /** Parameters of Content-Type by lower-case name. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Lower case. */
  readonly encoding: string;
  /** First word of Content-Disposition, lower case, or "". */
  readonly disposition: string;
  /** Header field names of the part, lower case. */
  readonly fields: ReadonlySet<string>;
  /** Whether the header has its end: what is put behind one that has none would be a part of it. */
  readonly hasContent: boolean;
  readonly start: number;
  /** Behind the last byte of the content; the line end in front of a boundary is not part of it (RFC 2046, 5.1.1). */
  readonly end: number;
  readonly parts: readonly Part[];
}

/** The structure cannot be told for sure. */
export class StructureError extends Error {
  readonly code = "MIME_STRUCTURE";
}

const DEEPEST = 20;
const MOST_PARTS = 1000;
const LONGEST_HEADER = 1024 * 1024;

/**
 * Finds the parts of a message, byte by byte. Only what every reader would see in the same way is accepted.
 * @param message one character a byte
 * @throws StructureError
 */
export function partsOf(message: string): Part {
  return readPart(message, 0, message.length, "text/plain", DEEPEST);
}

function readPart(message: string, from: number, end: number, usual: string, depth: number): Part {
  if (depth === 0) throw new StructureError("parts within parts without end");
  const { fields, start, hasContent } = readHeader(message, from, end);
  const one = (name: string): string | null => {
    const values = fields.filter(([each]) => each === name);
    if (values.length > 1) throw new StructureError(`more than one ${name}`);
    return values[0]?.[1] ?? null;
  };
  const { type, parameters } = contentType(one("content-type"), usual);
  const encoding = bareWord(one("content-transfer-encoding") ?? "7bit");
  const disposition = bareWord((one("content-disposition") ?? "").split(";", 1)[0] ?? "");
  const part = {
    type,
    parameters,
    encoding,
    disposition,
    fields: new Set(fields.map(([name]) => name)),
    hasContent,
    start,
    end,
  };
  if (!type.startsWith("multipart/")) return { ...part, parts: [] };
  const { boundary } = parameters;
  if (boundary === undefined || boundary === "") throw new StructureError("a multipart without boundary");
  const inner = type === "multipart/digest" ? "message/rfc822" : "text/plain";
  const parts = sections(message, start, end, boundary).map(([first, last]) =>
    readPart(message, first, last, inner, depth - 1),
  );
  return { ...part, parts };
}

/** Where the parts between boundary lines begin and end. */
function sections(message: string, start: number, end: number, boundary: string): [number, number][] {
  const found: [number, number][] = [];
  let begun: number | null = null;
  const mark = `--${boundary}`;
  for (
    let at = message.indexOf(mark, start);
    at >= 0 && at < end;
    at = message.indexOf(mark, at + mark.length)
  ) {
    const atLineStart = at === start || message.charAt(at - 1) === "\n";
    const rest = /^(--)?[ \t]*(\r?\n|$)/.exec(
      message.slice(at + mark.length, Math.min(end, at + mark.length + 200)),
    );
    if (!atLineStart || rest === null) continue;
    // The line end in front of a boundary belongs to it.
    if (begun !== null) found.push([begun, Math.max(begun, at - lineEndBefore(message, at))]);
    if (rest[1] !== undefined) return found;
    begun = at + mark.length + rest[0].length;
    if (found.length > MOST_PARTS) throw new StructureError("too many parts");
  }
  throw new StructureError("a multipart without its last boundary");
}

function lineEndBefore(message: string, at: number): number {
  if (message.charAt(at - 1) !== "\n") return 0;
  return message.charAt(at - 2) === "\r" ? 2 : 1;
}

/** Header fields with lower-case names and unfolded values, and where the content begins. */
interface Header {
  readonly fields: [string, string][];
  readonly start: number;
  readonly hasContent: boolean;
}

function readHeader(message: string, from: number, end: number): Header {
  const fields: [string, string][] = [];
  for (let at = from; at < end; ) {
    if (at - from > LONGEST_HEADER) throw new StructureError("a very long header");
    const feed = message.indexOf("\n", at);
    const next = feed < 0 || feed >= end ? end : feed + 1;
    const line = message.slice(at, next).replace(/\r?\n$/, "");
    if (line === "") return { fields, start: next, hasContent: true };
    const last = fields.at(-1);
    if (/^[ \t]/.test(line) && last !== undefined) last[1] += line;
    else {
      const colon = line.indexOf(":");
      const name = line.slice(0, Math.max(0, colon)).trim().toLowerCase();
      if (name === "") throw new StructureError("a header line without a name");
      // Some readers do not know a name with a blank behind it.
      if (name.startsWith("content-") && name.length !== colon)
        throw new StructureError("a blank behind a name");
      fields.push([name, line.slice(colon + 1)]);
    }
    at = next;
  }
  return { fields, start: end, hasContent: false };
}

const COMMENTS = /\([^()]*\)/g;
/** Blanks are those of RFC 5322: A0 is one for us, and a letter for others. */
const PARAMETER = /;[ \t]*([^ \t=;]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^ \t;"]+))/g;

/** A word of a header without comments, in lower case. */
function bareWord(text: string): string {
  const bare = text.replace(COMMENTS, "");
  const word = /^[ \t]*([!-~]+)[ \t]*$/.exec(bare)?.[1];
  return word?.toLowerCase() ?? (/[^ \t]/.test(bare) ? "unknown" : "");
}

function contentType(value: string | null, usual: string): Pick<Part, "type" | "parameters"> {
  if (value === null) return { type: usual, parameters: {} };
  const type = bareWord(value.split(";", 1)[0] ?? "");
  if (!/^[\w.+-]+\/[\w.+-]+$/.test(type)) throw new StructureError("a Content-Type that cannot be read");
  // What is left over, others may read as a part of a parameter.
  const listed = value.includes(";") ? value.slice(value.indexOf(";")) : "";
  if (/[^ \t;]/.test(listed.replaceAll(PARAMETER, "").replace(COMMENTS, "")))
    throw new StructureError("parameters that cannot be read");
  const parameters: Record<string, string> = Object.create(null);
  for (const [, name = "", quoted, plain] of value.matchAll(PARAMETER)) {
    const key = name.toLowerCase();
    // RFC 2231 gives parameters in pieces or other character sets: not for what is needed here.
    if (/^(boundary|charset)\*/.test(key)) throw new StructureError("a parameter in pieces");
    parameters[key] ??= quoted?.replaceAll(/\\(.)/g, "$1") ?? plain ?? "";
  }
  return { type, parameters };
}
