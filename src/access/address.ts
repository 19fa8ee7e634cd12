import ipaddr from "ipaddr.js";

const ALL_ONES = 0xffff_ffff;
/** A number as the C library's inet_addr(3) reads it: hexadecimal, octal or decimal. */
const C_NUMBER = /^(?:0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)$/i;

/**
 * Reads an IPv4 address of four numbers, any of which may be octal or hexadecimal.
 * @returns null when it is none; null for 255.255.255.255, too, which hosts_access(5) does not take as a mask
 */
export function dottedQuad(text: string): number | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => C_NUMBER.test(part))) return null;
  const bytes = parts.map(cNumber);
  if (bytes.some((byte) => byte > 255)) return null;
  const address = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return address === ALL_ONES ? null : address;
}

function cNumber(text: string): number {
  if (/^0x/i.test(text)) return Number.parseInt(text, 16);
  return Number.parseInt(text, text.startsWith("0") ? 8 : 10);
}

/**
 * Reads an IPv6 address as inet_pton(3) does. A zone (`%eth0`) is left out: libwrap does not compare it.
 * @returns its eight groups, null when it is none
 */
export function ipv6Groups(text: string): readonly number[] | null {
  const bare = text.replace(/%.+$/, "");
  const tail = /:((?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2}))$/.exec(bare)?.[1];
  const bytes = tail?.split(".").map(Number) ?? [];
  if (bytes.some((byte) => byte > 255)) return null;
  const [first = 0, second = 0, third = 0, fourth = 0] = bytes;
  // The library takes groups of any length, and a dotted tail for an IPv4-mapped address wherever it stands.
  const hexTail = [first * 256 + second, third * 256 + fourth].map((group) => group.toString(16)).join(":");
  const plain = tail === undefined ? bare : bare.slice(0, -tail.length) + hexTail;
  if (!/^[0-9a-f:]+$/i.test(plain) || /[0-9a-f]{5}/i.test(plain)) return null;
  return ipaddr.IPv6.isValid(plain) ? ipaddr.IPv6.parse(plain).parts : null;
}

/** An IPv4 address that came through an IPv6 socket (`::ffff:192.0.2.1`) as the IPv4 address; others as they are. */
export function withoutMapping(text: string): string {
  const mapped = /^::ffff:/i.test(text) ? text.slice(7) : null;
  return mapped !== null && dottedQuad(mapped) !== null ? mapped : text;
}

/**
 * Whether an address is in a network: `n.n.n.n/m.m.m.m`, `n.n.n.n/length` or `[IPv6]/length` of hosts_access(5). As
 * with libwrap, bits of an IPv4 network outside its mask match nothing, a length of 0 is for IPv6 only, and what
 * follows the digits of a length is not looked at.
 */
export function isInNetwork(address: string, net: string, mask: string): boolean {
  const bare = withoutMapping(address);
  const quad = dottedQuad(bare);
  if (quad !== null) return isInQuadNetwork(quad, dottedQuad(net), dottedQuad(mask) ?? lengthMask(mask));
  const groups = ipv6Groups(bare);
  const netGroups = net.startsWith("[") && net.endsWith("]") ? ipv6Groups(net.slice(1, -1)) : null;
  const length = leadingNumber(mask);
  if (groups === null || netGroups === null || length < 0 || length > 128) return false;
  return groups.every((group, at) => {
    const bits = Math.min(Math.max(length - at * 16, 0), 16);
    return (group ^ (netGroups[at] ?? 0)) >> (16 - bits) === 0;
  });
}

function isInQuadNetwork(address: number, net: number | null, mask: number | null): boolean {
  return net !== null && mask !== null && (address & mask) >>> 0 === net;
}

function lengthMask(text: string): number | null {
  const length = leadingNumber(text);
  return length < 1 || length > 32 ? null : (ALL_ONES << (32 - length)) >>> 0;
}

/** What strtol(3) makes of a text: the number it begins with, 0 when it begins with none. */
function leadingNumber(text: string): number {
  return Number(/^[+-]?\d+/.exec(text)?.[0] ?? 0);
}
