import { isHostName, parseAddress } from "./network.ts";

const EXPECTED = "host names or addresses separated by colons, with IPv6 in square brackets";

const LIST = /^:*(\[[^\]]*\]|[^:[\]]+)(:+(\[[^\]]*\]|[^:[\]]+))*:*$/;

/**
 * The hosts of `--server` (man page: names or addresses separated by colons; an IPv6 address stands in
 * square brackets, decisions 3). Several colons count as one (CB 1.30). IPv6 addresses are returned
 * without brackets. Returns what was expected, as a string, when the list is not one.
 */
export function parseServerList(text: string): readonly string[] | string {
  if (text.includes(":") && parseAddress(text) !== null) {
    return `an IPv6 address in square brackets: [${text}]`;
  }
  if (!LIST.test(text)) return EXPECTED;
  const hosts: string[] = [];
  for (const item of text.match(/\[[^\]]*\]|[^:[\]]+/g) ?? []) {
    const bracketed = item.startsWith("[");
    const host = bracketed ? item.slice(1, -1) : item;
    const good = bracketed ? host.includes(":") && parseAddress(host) !== null : isHost(host);
    if (!good) return `${EXPECTED}, not "${item}"`;
    hosts.push(host);
  }
  return hosts;
}

function isHost(text: string): boolean {
  // Digits and dots alone are meant as an address, so that a mistyped one is not looked up as a name.
  return /^[\d.]+$/.test(text) ? parseAddress(text) !== null : isHostName(text);
}
