import { splitAt } from "./access-file.ts";
import { ipv6Groups, isInNetwork, withoutMapping } from "./address.ts";

/** What libwrap calls a name, an address or a user that it does not know. */
export const UNKNOWN = "unknown";
/** What libwrap calls a host whose name and address do not belong together. */
export const PARANOID = "paranoid";

/** A host that patterns are tried on. */
export interface HostFacts {
  /** As inet_ntop(3) writes it, or `unknown`. */
  readonly address: string;
  /** Verified name, `unknown` or `paranoid`; asked for only when the answer depends on it. */
  name(): string;
}

/** What patterns refer to. */
export interface PatternSources {
  /** Contents of the files of `/file` patterns by path; null for one that does not exist. */
  readonly files: Readonly<Record<string, string | null>>;
  /** Hosts of the netgroups of `@netgroup` patterns by name; an empty text stands for every host. */
  readonly netgroups: Readonly<Record<string, readonly string[]>>;
  /** Takes a sentence about a pattern that cannot be decided. */
  readonly complain: (sentence: string) => void;
}

/** Whether a pattern or list matches; "unsure" when what it refers to is not to be had. */
export type Match = "yes" | "no" | "unsure";

/**
 * Whether a list of patterns matches: `a EXCEPT b EXCEPT c` is `a EXCEPT (b EXCEPT c)`. A list that is matched by one
 * pattern surely is not made unsure by another.
 */
export function listMatches(list: readonly string[], matches: (token: string) => Match): Match {
  let found: Match = "no";
  for (const token of list) {
    if (isExcept(token)) break;
    const match = matches(token);
    if (match !== "no") found = match;
    if (match === "yes") break;
  }
  const except = list.findIndex(isExcept);
  if (found === "no" || except < 0) return found;
  const excepted = listMatches(list.slice(except + 1), matches);
  if (excepted === "no") return found;
  return excepted === "yes" ? "no" : "unsure";
}

/** Whether an element of a list is the operator EXCEPT. */
export function isExcept(token: string): boolean {
  return fold(token) === "except";
}

/** Splits `user@host` or `daemon@host`; an `@` in front is a netgroup's. */
export function splitEndpoint(token: string): [string, string | null] {
  return splitAt(token, "@", 1);
}

/**
 * Whether a host pattern matches a host: hosts_access(5), "PATTERNS" and "WILDCARDS".
 * @param seen the files that were looked into for this pattern: files that name each other are looked into once each
 */
export function hostMatches(
  token: string,
  host: HostFacts,
  sources: PatternSources,
  seen: Set<string> = new Set(),
): Match {
  if (token.startsWith("@")) return netgroupMatches(token.slice(1), host, sources);
  if (token.startsWith("/")) return fileMatches(token, host, sources, seen);
  if (fold(token) === "known") return yesIf(host.address !== UNKNOWN && isKnownName(host.name()));
  if (fold(token) === "local") return yesIf(!host.name().includes(".") && isKnownName(host.name()));
  const [net, mask] = splitAt(token, "/");
  if (mask !== null) return yesIf(isInNetwork(host.address, net, mask));
  return yesIf(
    textMatches(token, host.address) || (!isForAddresses(token) && textMatches(token, host.name())),
  );
}

/** Whether a pattern without a `/` can match nothing but an address. */
export function isForAddresses(token: string): boolean {
  return /^[0-9.]*$/.test(token) || (bracketed(token) !== null && !hasWildcard(token));
}

/** Whether a pattern matches a name, an address, a user or a daemon. Letters are equal in both cases. */
export function textMatches(pattern: string, text: string): boolean {
  const wanted = fold(pattern);
  const given = withoutMapping(fold(text));
  if (hasWildcard(wanted)) return globMatches(wanted, given);
  if (wanted.startsWith(".")) return given.length > wanted.length && given.endsWith(wanted);
  if (wanted === "all") return true;
  if (wanted === "known") return given !== UNKNOWN;
  if (wanted.endsWith(".")) return given.startsWith(wanted);
  const literal = bracketed(wanted);
  if (literal === null) return wanted === given;
  const groups = ipv6Groups(literal);
  return groups !== null && groups.join() === ipv6Groups(given)?.join();
}

/** Host names are ASCII; other bytes are compared as they are, as in the C locale. */
function fold(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function yesIf(condition: boolean): Match {
  return condition ? "yes" : "no";
}

function isKnownName(name: string): boolean {
  return fold(name) !== UNKNOWN && fold(name) !== PARANOID;
}

function hasWildcard(pattern: string): boolean {
  return /[*?]/.test(pattern);
}

function bracketed(text: string): string | null {
  return text.length > 1 && text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : null;
}

function netgroupMatches(group: string, host: HostFacts, sources: PatternSources): Match {
  const hosts = Object.hasOwn(sources.netgroups, group) ? sources.netgroups[group] : undefined;
  if (hosts === undefined) {
    sources.complain(`the hosts of netgroup "@${group}" are not known`);
    return "unsure";
  }
  return yesIf(hosts.some((member) => member === "" || fold(member) === fold(host.name())));
}

/** A file lists host patterns between blanks; it knows neither EXCEPT nor `user@host` nor comments. */
function fileMatches(path: string, host: HostFacts, sources: PatternSources, seen: Set<string>): Match {
  // What it says counts already, wherever it was named first: one pattern that matches is enough.
  if (seen.has(path)) return "no";
  seen.add(path);
  const text = Object.hasOwn(sources.files, path) ? sources.files[path] : undefined;
  if (text === undefined) {
    sources.complain(`the file "${path}" cannot be read`);
    return "unsure";
  }
  let found: Match = "no";
  for (const token of fileTokens(text)) {
    const match = hostMatches(token, host, sources, seen);
    if (match === "yes") return "yes";
    if (match === "unsure") found = "unsure";
  }
  return found;
}

/** The patterns of a `/file`; none of a file that does not exist. */
export function fileTokens(text: string | null): readonly string[] {
  return text?.match(/[^ \t\n\v\f\r]+/g) ?? [];
}

/** `*` and `?` as in a shell. At the end, more than one `*` want at least one character, as in libwrap. */
function globMatches(pattern: string, text: string): boolean {
  const wanted = pattern.replace(/\*{2,}$/, "?*");
  let at = 0;
  let star = -1;
  let resume = 0;
  let from = 0;
  while (from < text.length) {
    if (wanted[at] === "*") {
      star = at++;
      resume = from;
    } else if (at < wanted.length && (wanted[at] === "?" || wanted[at] === text[from])) {
      at++;
      from++;
    } else if (star >= 0) {
      at = star + 1;
      from = ++resume;
    } else {
      return false;
    }
  }
  return /^\**$/.test(wanted.slice(at));
}
