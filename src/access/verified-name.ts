import { ipv6Groups, withoutMapping } from "./address.ts";
import { PARANOID, UNKNOWN } from "./pattern.ts";

/** What inet_addr(3) takes for an address: one to four numbers, also octal and hexadecimal. */
const NUMERIC = /^(?:0x[0-9a-f]+|\d+)(?:\.(?:0x[0-9a-f]+|\d+)){0,3}$/i;

/**
 * Decides what name rules see for an address, as libwrap does: the name that the address leads to counts only when
 * it leads back to the address. hosts_access(5): `UNKNOWN`, `PARANOID`.
 * @param reverse the name that the address leads to; null when there is none, or it took too long (decisions 4: five
 *   seconds for both look-ups, and when the second one is late the name is `unknown`, too)
 * @param forwardAddresses the addresses that this name leads to; none when the look-up failed
 * @param canonicalName the name that the forward look-up gave for an alias, where it is known: libwrap mistrusts
 *   addresses that lead to an alias
 * @returns the name, `unknown`, or `paranoid` when name and address do not belong together
 */
export function verifyName(
  reverse: string | null,
  forwardAddresses: readonly string[],
  address: string,
  canonicalName: string | null = null,
): string {
  const name = reverse?.replace(/\.$/, "") ?? "";
  if (name === "") return UNKNOWN;
  // An address in the place of a name would match patterns that are meant for addresses.
  if (NUMERIC.test(name) || ipv6Groups(name) !== null) return PARANOID;
  const isAlias = canonicalName !== null && canonicalName.toLowerCase() !== name.toLowerCase();
  if (isAlias && name.toLowerCase() !== "localhost") return PARANOID;
  const wanted = comparable(address);
  return forwardAddresses.some((forward) => comparable(forward) === wanted) ? name : PARANOID;
}

/** One text for each address, however it is written; zones are left out. */
function comparable(address: string): string {
  const bare = withoutMapping(address);
  return ipv6Groups(bare)?.join() ?? bare;
}
