import ipaddr from "ipaddr.js";

type Address = ReturnType<typeof ipaddr.parse>;

/** An IPv4 address in four decimal parts, or an IPv6 address; the short and octal IPv4 forms are refused. */
export function parseAddress(text: string): Address | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (text.includes(":") && ipaddr.IPv6.isValid(text)) return ipaddr.IPv6.parse(text);
  return null;
}

/**
 * Canonical CIDR text of `address[/prefix]`, with the host bits cleared, or null when it is no network.
 * Without a prefix a single address is meant (CB 1.36). A mapped IPv4 network (`::ffff:10.0.0.0/104`)
 * becomes the IPv4 one, since addresses are compared unmapped (decisions 4).
 */
export function canonicalNetwork(text: string): string | null {
  const [base = "", prefixText, ...rest] = text.split("/");
  if (rest.length > 0 || base.includes("%")) return null;
  const address = parseAddress(base);
  if (address === null) return null;
  const width = address.kind() === "ipv4" ? 32 : 128;
  if (prefixText !== undefined && !/^\d{1,3}$/.test(prefixText)) return null;
  const prefix = prefixText === undefined ? width : Number(prefixText);
  if (prefix > width) return null;
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && prefix >= 96) {
    return `${ipaddr.IPv4.networkAddressFromCIDR(`${address.toIPv4Address()}/${prefix - 96}`)}/${prefix - 96}`;
  }
  const family = width === 32 ? ipaddr.IPv4 : ipaddr.IPv6;
  return `${family.networkAddressFromCIDR(`${address}/${prefix}`)}/${prefix}`;
}

/** A host name as RFC 1123 has it (underscores are let through, since they occur). */
export function isHostName(text: string): boolean {
  return text.length <= 253 && /^(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?$/.test(text);
}
