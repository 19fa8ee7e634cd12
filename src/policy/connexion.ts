import { isLoopback, isOnLan, type Network, parseClientAddress } from "./networks.ts";

/** Where the mail comes from. */
export type Origin = "thisMachine" | "lan" | "elsewhere";

/**
 * Where a client is. Mail from a unix socket or from a client without an address was made on this machine
 * (`sendmail -bs`); so is an address that cannot be read never.
 */
export function originOf(family: string, address: string, ignored: readonly Network[]): Origin {
  if (family === "unix" || family === "unknown") return "thisMachine";
  const parsed = parseClientAddress(address);
  if (parsed === null) return "elsewhere";
  if (isLoopback(parsed)) return "thisMachine";
  return isOnLan(parsed, ignored) ? "lan" : "elsewhere";
}
