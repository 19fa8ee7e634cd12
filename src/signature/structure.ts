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
  const { fields, start } = readHeader(message, from, end);
  const one = (name: string): string => {
    const values = fields.filter(([each]) => each === name);
    if (values.length > 1) throw new StructureError(`more than one ${name}`);
    return values[0]?.[1] ?? "";
  };
  const { type, parameters } = contentType(one("content-type"), usual);
  const encoding = one("content-transfer-encoding").replace(COMMENTS, "").trim().toLowerCase() || "7bit";
  const [disposition = ""] = one("content-disposition").toLowerCase().trim().split(/[;\s]/);
  const part = {
    type,
    parameters,
    encoding,
    disposition,
    fields: new Set(fields.map(([name]) => name)),
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
function readHeader(
  message: string,
  from: number,
  end: number,
): { fields: [string, string][]; start: number } {
  const fields: [string, string][] = [];
  for (let at = from; at < end; ) {
    if (at - from > LONGEST_HEADER) throw new StructureError("a very long header");
    const feed = message.indexOf("\n", at);
    const next = feed < 0 || feed >= end ? end : feed + 1;
    const line = message.slice(at, next).replace(/\r?\n$/, "");
    if (line === "") return { fields, start: next };
    const last = fields.at(-1);
    if (/^[ \t]/.test(line) && last !== undefined) last[1] += line;
    else {
      const colon = line.indexOf(":");
      if (colon <= 0) throw new StructureError("a header line without a name");
      fields.push([line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1)]);
    }
    at = next;
  }
  return { fields, start: end };
}

const COMMENTS = /\([^()]*\)/g;
const PARAMETER = /;\s*([^\s=;]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/g;

function contentType(value: string, usual: string): Pick<Part, "type" | "parameters"> {
  if (value.trim() === "") return { type: usual, parameters: {} };
  const type = value.split(";", 1)[0]?.replace(COMMENTS, "").trim().toLowerCase() ?? "";
  if (!/^[\w.+-]+\/[\w.+-]+$/.test(type)) throw new StructureError("a Content-Type that cannot be read");
  const parameters: Record<string, string> = Object.create(null);
  for (const [, name = "", quoted, plain] of value.matchAll(PARAMETER)) {
    const key = name.toLowerCase();
    // RFC 2231 gives parameters in pieces or other character sets: not for what is needed here.
    if (/^(boundary|charset)\*/.test(key)) throw new StructureError("a parameter in pieces");
    parameters[key] ??= quoted?.replaceAll(/\\(.)/g, "$1") ?? plain ?? "";
  }
  return { type, parameters };
}
