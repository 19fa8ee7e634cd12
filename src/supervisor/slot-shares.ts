/** What a child's share of the slots is settled by. */
export interface Claim {
  readonly held: number;
  /** What it could use in all. */
  readonly need: number;
  /** When it was last given a slot: a larger number is later. */
  readonly served: number;
}

/**
 * Parts slots among those that claim them, as evenly as their claims allow (max-min): who claims less than the even
 * share has its claim, the others share the rest. Nobody claims less than it holds. What cannot be parted evenly stays
 * where it is, so that slots do not wander for nothing; but with fewer slots than claimants they go round.
 * @returns the shares in the order of the claims; their sum is `slots` at most
 */
export function fairShares(claims: readonly Claim[], slots: number): number[] {
  const wanted = claims.map(({ held, need }) => Math.max(held, need));
  const rising = claims.map((_, at) => at).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const shares = claims.map(() => 0);
  let left = slots;
  while (rising.length > 0) {
    const next = rising[0] ?? 0;
    const claim = wanted[next] ?? 0;
    if (claim > Math.floor(left / rising.length)) break;
    shares[next] = claim;
    left -= claim;
    rising.shift();
  }
  if (rising.length === 0) return shares;
  const even = Math.floor(left / rising.length);
  let odd = left - even * rising.length;
  const first = even === 0 ? byTurn : byHeld;
  for (const at of rising.sort((a, b) => first(claims[a] ?? NOBODY, claims[b] ?? NOBODY))) {
    shares[at] = even + (odd-- > 0 ? 1 : 0);
  }
  return shares;
}

const NOBODY: Claim = { held: 0, need: 0, served: 0 };

function byHeld(a: Claim, b: Claim): number {
  return b.held - a.held || a.served - b.served;
}

/** First who has none, the longest without before the others; then who was given one last: it may use it. */
function byTurn(a: Claim, b: Claim): number {
  if (a.held === 0 && b.held === 0) return a.served - b.served;
  if (a.held === 0 || b.held === 0) return a.held - b.held;
  return b.served - a.served;
}
