/** A notice's text as an administrator has written it: one character a byte. */
export interface Expansion {
  readonly text: string;
  /** What is wrong with the template, for the log. */
  readonly complaints: readonly string[];
}

/** What takes the place of the template's signs. One character a byte, without control characters but LF. */
export interface TemplateValues {
  /** `%v` */
  readonly virus: string;
  /** `%h` */
  readonly headers: string;
  /** `$name$`, by the name without braces; null when the MTA has not told it. */
  readonly macro: (name: string) => string | null;
}

/** A sign of the template: an escape, a percent sign with what follows, or a macro between dollar signs. */
const SIGN = /\\([\s\S]?)|%([\s\S]?)|\$([^$\n]*)\$|\$/g;
/** Macros that a template may name; more would be a mistake. */
const MOST_MACROS = 64;
const LONGEST_NAME = 64;

/**
 * Puts values into a template (man page: --template-file; CB 7.4). In one pass from left to right: what stands in a
 * value is never looked at again.
 */
export function expandTemplate(template: string, values: TemplateValues): Expansion {
  const complaints: string[] = [];
  const text = template.replaceAll(
    SIGN,
    (sign, escaped: string | undefined, percent: string | undefined, macro: string | undefined) => {
      if (escaped !== undefined) return escaped;
      if (percent !== undefined) return percentValue(percent, values, complaints);
      if (macro === undefined) {
        complaints.push("a dollar sign without its partner on the line");
        return sign;
      }
      const name = bareName(macro);
      const value = name === "" ? null : values.macro(name);
      if (value === null) complaints.push(`no value for the macro "${name}"`);
      return value ?? name;
    },
  );
  return { text, complaints };
}

function percentValue(letter: string, values: TemplateValues, complaints: string[]): string {
  if (letter === "v") return values.virus;
  if (letter === "h") return values.headers;
  if (letter === "%" || letter === "") return "%";
  complaints.push(`"%${letter}" stands for nothing`);
  return "";
}

/** The macros that a template asks for, without braces. */
export function macrosOf(template: string): readonly string[] {
  const names = [...template.matchAll(SIGN)].flatMap((sign) => {
    const name = sign[3] === undefined ? "" : bareName(sign[3]);
    return /^[\w.-]+$/.test(name) && name.length <= LONGEST_NAME ? [name] : [];
  });
  return [...new Set(names)].slice(0, MOST_MACROS);
}

/** Whether a template has a place for the message's header. */
export function wantsHeaders(template: string): boolean {
  return [...template.matchAll(SIGN)].some((sign) => sign[2] === "h");
}

function bareName(name: string): string {
  return name.replace(/^\{(.*)\}$/, "$1");
}
