import type { Field } from "./header-field.ts";

/** A file of header lines that cannot be used. The message says in which line and why. */
export class TemplateHeadersError extends Error {
  readonly code = "TEMPLATE_HEADERS";
}

/** Who gets a notice and from whom is said by options; the last is how we know our own mail. */
const REFUSED = /^(to|cc|bcc|from|resent-.*|x-clamav-milter-code)$/i;

/**
 * Header lines to be added to notices (man page: --template-headers).
 * @param text one character a byte
 * @throws TemplateHeadersError when it is no header, or has a field that is not its business
 */
export function parseTemplateHeaders(text: string): readonly Field[] {
  const fields: [string, string][] = [];
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  while (lines.at(-1) === "") lines.pop();
  for (const [at, line] of lines.entries()) {
    const fail = (why: string): never => {
      throw new TemplateHeadersError(`line ${at + 1}: ${why}`);
    };
    if (/[\0-\x08\x0b-\x1f\x7f]/.test(line)) fail("has a control character");
    const last = fields.at(-1);
    if (/^[ \t]/.test(line) && last !== undefined) {
      if (line.trim() === "") fail("is empty");
      last[1] += `\n${line}`;
      continue;
    }
    const parts = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line);
    const [, name = "", value = ""] = parts ?? [];
    if (parts === null) fail('is no header line; expected "Name: value"');
    if (REFUSED.test(name)) fail(`"${name}:" is not allowed here`);
    fields.push([name, value]);
  }
  return fields;
}

/** Whether texts in UTF-8 can be put into a body that these fields describe. */
export function takesUtf8(fields: readonly Field[]): boolean {
  const type = fields.find(([name]) => name.toLowerCase() === "content-type")?.[1];
  if (type === undefined) return true;
  return /charset\s*=\s*"?utf-?8"?/i.test(type);
}
