import ipaddr from "ipaddr.js";

type Address = ReturnType<typeof ipaddr.process>;
/** A network: its first address and the length of its prefix. */
export type Network = readonly [Address, number];

/** Man page, `--local`: what is on the LAN, and what decisions 4 add for IPv6. */
const LAN: readonly Network[] = [
  "192.168.0.0/16",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "169.254.0.0/16",
  "fe80::/10",
  "fc00::/7",
].map((text) => ipaddr.parseCIDR(text));

const LOOPBACK: readonly Network[] = ["127.0.0.0/8", "::1/128"].map((text) => ipaddr.parseCIDR(text));

/** Networks of the `--ignore` option, validated by the command line. */
export function parseNetworks(texts: readonly string[]): readonly Network[] {
  return texts.map((text) => ipaddr.parseCIDR(text));
}

/**
 * Characters of an address with all that may stand around it; in the longest there are 45 of the address itself
 * (INET6_ADDRSTRLEN) and 15 of a zone (IFNAMSIZ). An MTA can say 64 kB.
 */
const LONGEST = 100;

/**
 * The client's address as the MTA tells it: plain, with sendmail's `IPv6:` in front or in brackets. An
 * IPv4-mapped IPv6 address is the IPv4 one.
 * @returns null when it is no address
 */
export function parseClientAddress(text: string): Address | null {
  if (text.length > LONGEST) return null;
  const bare = text
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/^IPv6:/i, "")
    .replace(/%.*$/, "");
  // Of the IPv4 forms only the usual one: `127.1` is none that an MTA writes.
  const isAddress = bare.includes(":") ? ipaddr.IPv6.isValid(bare) : ipaddr.IPv4.isValidFourPartDecimal(bare);
  return isAddress ? ipaddr.process(bare) : null;
}

/** The client's address in the one form that lists have it in; "" when it has none. */
export function canonicalAddress(family: string, address: string): string {
  if (family === "unix" || family === "unknown") return "";
  return parseClientAddress(address)?.toString() ?? "";
}

export function isLoopback(address: Address): boolean {
  return isIn(address, LOOPBACK);
}

/** Whether the address is on the LAN: the page's ranges, IPv6's counterparts and `--ignore` nets. */
export function isOnLan(address: Address, ignored: readonly Network[]): boolean {
  return isIn(address, LAN) || isIn(address, ignored);
}

function isIn(address: Address, networks: readonly Network[]): boolean {
  return networks.some(([net, bits]) => net.kind() === address.kind() && address.match(net, bits));
}
