import { splitAt } from "./access-file.ts";

/** What the options of a matching rule come to. */
export interface OptionsOutcome {
  /** Null when they leave it to the file: hosts.allow grants, hosts.deny denies. */
  readonly verdict: "allow" | "deny" | null;
  /** Sentences without file and line. */
  readonly warnings: readonly string[];
}

interface OptionKind {
  readonly value: "wanted" | "forbidden" | "either";
  /** Must end the rule. */
  readonly last?: true;
  /** Whether a value is one that libwrap takes. */
  readonly accepts?: (value: string) => boolean;
  readonly outcome?: OptionsOutcome;
}

const BLANKS = /^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g;

const FACILITY = /^(?:kern|user|mail|daemon|auth|lpr|news|uucp|cron|local[0-7])$/i;
const LEVEL = /^(?:emerg|alert|crit|err|warning|notice|info|debug)$/i;

/** Every option of hosts_options(5) in Debian's libwrap. Those without an outcome mean nothing to this program. */
const OPTIONS: Readonly<Record<string, OptionKind>> = {
  allow: { value: "forbidden", last: true, outcome: { verdict: "allow", warnings: [] } },
  deny: { value: "forbidden", last: true, outcome: { verdict: "deny", warnings: [] } },
  spawn: {
    value: "wanted",
    outcome: {
      verdict: null,
      warnings: ['"spawn" is ignored: clamav-milter runs no commands of access rules'],
    },
  },
  twist: {
    value: "wanted",
    last: true,
    outcome: {
      verdict: "deny",
      warnings: ['"twist" denies: clamav-milter runs no commands of access rules'],
    },
  },
  aclexec: {
    value: "wanted",
    outcome: {
      verdict: "deny",
      warnings: ['"aclexec" denies: clamav-milter runs no commands of access rules'],
    },
  },
  severity: { value: "wanted", accepts: isSeverity },
  setenv: { value: "wanted", accepts: (value) => !/^[^ \t\r\n]*=/.test(value) },
  umask: { value: "wanted", accepts: (value) => /^(?:-0+|\+?0*[0-7]{1,3})$/.test(value) },
  linger: { value: "wanted", accepts: (value) => /^(?:-0+|\+?\d+)$/.test(value) },
  rfc931: { value: "either", accepts: (value) => /^\+?0*[1-9]\d*$/.test(value) },
  nice: { value: "either", accepts: (value) => /^[+-]?\d+$/.test(value) },
  keepalive: { value: "forbidden" },
  banners: { value: "wanted" },
  user: { value: "wanted" },
  group: { value: "wanted" },
};

/**
 * Decides what the options of a rule that matches come to: hosts_options(5). They are taken in order, and the first
 * that is wrong denies, as with libwrap ("further options will be ignored, and service is denied").
 * The classic language's shell command, which Debian's libwrap does not know either, is such an error.
 * @param text what follows the second colon of the rule
 */
export function decideOptions(text: string): OptionsOutcome {
  const fields = text.split(/(?<!\\):/).map((field) => field.replaceAll("\\:", ":").replace(BLANKS, ""));
  const warnings: string[] = [];
  for (const [at, field] of fields.entries()) {
    const [, name = "", value = ""] = /^([^= \t\r\n]*)[ \t\r\n]*=?[ \t\r\n]*(.*)$/s.exec(field) ?? [];
    const key = name.toLowerCase();
    const kind = Object.hasOwn(OPTIONS, key) ? OPTIONS[key] : undefined;
    const error = complaint(name, value, kind, at === fields.length - 1);
    if (error !== null) return { verdict: "deny", warnings: [...warnings, `${error}: access is denied`] };
    warnings.push(...(kind?.outcome?.warnings ?? []));
    const verdict = kind?.outcome?.verdict ?? null;
    if (verdict !== null) return { verdict, warnings };
  }
  return { verdict: null, warnings };
}

/** A level of syslog, with or without a facility in front: those that Debian's libwrap knows. */
function isSeverity(value: string): boolean {
  const [facility, level] = splitAt(value, ".");
  return level === null ? LEVEL.test(facility) : FACILITY.test(facility) && LEVEL.test(level);
}

function complaint(
  name: string,
  value: string,
  kind: OptionKind | undefined,
  isLast: boolean,
): string | null {
  if (name === "") return "an option is empty";
  if (kind === undefined) return `there is no option "${name}"`;
  if (value === "" && kind.value === "wanted") return `option "${name}" needs a value`;
  if (value !== "" && kind.value === "forbidden") return `option "${name}" takes no value`;
  if (kind.last === true && !isLast) return `option "${name}" must be the last of its rule`;
  if (value !== "" && kind.accepts?.(value) === false) return `option "${name}" does not take "${value}"`;
  return null;
}
