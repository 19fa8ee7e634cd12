import { bareAddress, withoutBlanks } from "./mail-address.ts";

/** Addresses whose mail is not scanned, as `bareAddress` writes them. */
export interface Whitelist {
  readonly from: ReadonlySet<string>;
  readonly to: ReadonlySet<string>;
}

/** What a whitelist file says. */
export interface WhitelistText {
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** What is wrong with it; such lines count for nothing. */
  readonly faults: readonly { readonly line: number; readonly reason: string }[];
}

export const EMPTY_WHITELIST: Whitelist = { from: new Set(), to: new Set() };

/** Bytes of a whitelist file: some 40,000 addresses. It is handed to every child as a whole. */
export const LONGEST_WHITELIST = 2 * 1024 * 1024;

/** RFC 5321 allows 64 + 1 + 255 octets. */
const LONGEST = 320;

/**
 * Reads a whitelist file (man page, `--whitelist-file`): an address a line, in angle brackets if you like, `To:` or
 * `From:` in front of it, To when there is nothing.
 * @param text one character a byte, as addresses come from the wire
 */
export function parseWhitelist(text: string): WhitelistText {
  const from: string[] = [];
  const to: string[] = [];
  const faults: { line: number; reason: string }[] = [];
  for (const [at, raw] of text.split("\n").entries()) {
    const line = withoutBlanks(raw);
    if (line === "" || /^[#:!]/.test(line)) continue;
    const [, prefix = "", rest = line] = /^(to|from)\s*:(.*)$/i.exec(line) ?? [];
    const address = bareAddress(rest);
    const reason = faultOf(address);
    if (reason !== null) faults.push({ line: at + 1, reason });
    else if (prefix.toLowerCase() === "from") from.push(address);
    else to.push(address);
  }
  return { from, to, faults };
}

function faultOf(address: string): string | null {
  if (address === "") return "an address is missing";
  if (address.length > LONGEST) return `longer than ${LONGEST} characters`;
  if (/[\0-\x20\x7f<>]/.test(address))
    return "expected one address, <user@example.org>, To: or From: before it";
  return null;
}

/** Whether any of the names that an address goes by is listed: as the client gave it, and as the MTA resolved it. */
export function isListed(list: ReadonlySet<string>, names: readonly string[]): boolean {
  return names.some((name) => list.has(bareAddress(name)));
}
