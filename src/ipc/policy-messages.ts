/**
 * What the processes tell each other about the blacklist, the whitelist and black holes. Lists go in portions, so that
 * no message grows over the channel's bound.
 */

/** From the supervisor to a child. */
export type BlacklistToChild =
  /**
   * Addresses that are listed, with the milliseconds that are left. `news` is what is listed now; a new child gets the
   * rest portion by portion, and asks for each but the first.
   */
  | {
      readonly type: "blacklist";
      readonly entries: readonly (readonly [address: string, left: number])[];
      readonly part: "news" | "portion" | "last portion";
    }
  /** Addresses that are not listed any more. */
  | { readonly type: "unblacklist"; readonly addresses: readonly string[] };

/** From a child to the supervisor. */
export type BlacklistFromChild =
  /** Mail from that address was infected, or its like; `because` is for the log. */
  | { readonly type: "offender"; readonly address: string; readonly because: string }
  /** The portion was taken. */
  | { readonly type: "blacklistNext" };

/** From the keeper to the supervisor: the addresses of our MX peers, all of them. */
export interface PeersFromKeeper {
  readonly type: "peers";
  readonly addresses: readonly string[];
}

/** From a child to the keeper: whether mail to that address would be written to /dev/null. */
export interface BlackHoleRequest {
  readonly type: "blackHole";
  readonly id: number;
  readonly address: string;
}

export type PolicyAnswer =
  | { readonly type: "blackHole"; readonly id: number; readonly discards: boolean }
  /** A portion of the whitelist; with the last one the new list takes the place of the old. */
  | {
      readonly type: "whitelist";
      readonly from: readonly string[];
      readonly to: readonly string[];
      readonly first: boolean;
      readonly last: boolean;
    };

/** The longest address of RFC 5321. */
const LONGEST_ADDRESS = 320;
const LONGEST_CAUSE = 300;
const MOST_PEERS = 1000;
/** An IPv4 or IPv6 address, roughly: whoever takes it looks closer. */
const IP_ADDRESS = /^[0-9a-f:.]{2,45}$/i;

/** The message if it is one of a child's or the keeper's to the supervisor, else null. */
export function checkPolicyFromRole(message: object): BlacklistFromChild | PeersFromKeeper | null {
  const { type, address, because, addresses } = message as Record<string, unknown>;
  if (type === "blacklistNext") return { type };
  if (type === "offender" && isIpAddress(address) && typeof because === "string") {
    return { type, address, because: because.slice(0, LONGEST_CAUSE) };
  }
  if (type === "peers" && Array.isArray(addresses) && addresses.every(isIpAddress)) {
    return { type, addresses: addresses.slice(0, MOST_PEERS) };
  }
  return null;
}

/** The message if it is one of a child's to the keeper, else null. */
export function checkBlackHoleRequest(message: object): BlackHoleRequest | null {
  const { type, id, address } = message as Record<string, unknown>;
  if (type !== "blackHole" || !isId(id) || typeof address !== "string") return null;
  return address.length <= LONGEST_ADDRESS ? { type, id, address } : null;
}

/** The message if it is one of the keeper's to a child, else null. */
export function checkPolicyAnswer(message: object): PolicyAnswer | null {
  const { type, id, discards, from, to, first, last } = message as Record<string, unknown>;
  if (type === "blackHole" && isId(id) && typeof discards === "boolean") return { type, id, discards };
  if (type === "whitelist" && areTexts(from) && areTexts(to)) {
    return { type, from, to, first: first === true, last: last === true };
  }
  return null;
}

function isId(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value < 2 ** 32;
}

function isIpAddress(value: unknown): value is string {
  return typeof value === "string" && IP_ADDRESS.test(value);
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}
