import { isLoopback, isOnLan, type Network, parseClientAddress } from "./networks.ts";

/** Which mail is scanned: `--outgoing`, `--local`, `--force-scan`, `--ignore`. */
export interface ScanRules {
  readonly scanOutgoing: boolean;
  readonly scanLocal: boolean;
  readonly forceScan: boolean;
  readonly ignored: readonly Network[];
}

/** Where the mail comes from. */
export type Origin = "thisMachine" | "lan" | "elsewhere";

export type ConnexionDecision =
  | { readonly kind: "scan"; readonly origin: Origin }
  | { readonly kind: "accept"; readonly origin: Origin; readonly reason: string };

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

/** Man page, `--outgoing`, `--local` and `--force-scan`: what is accepted without a scan, at connect. */
export function decideConnexion(family: string, address: string, rules: ScanRules): ConnexionDecision {
  const origin = originOf(family, address, rules.ignored);
  if (rules.forceScan) return { kind: "scan", origin };
  if (origin === "thisMachine" && !rules.scanOutgoing) {
    return { kind: "accept", origin, reason: "from this machine, and --outgoing is not given" };
  }
  if (origin === "lan" && !rules.scanLocal) {
    return { kind: "accept", origin, reason: "from the LAN, and --local is not given" };
  }
  return { kind: "scan", origin };
}
