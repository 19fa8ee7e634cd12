/** What a child's share of the slots is settled by. */
export interface Claim {
  readonly held: number;
  /** What it could use in all. */
  readonly need: number;
  /** When it was last given a slot: a larger number is later. */
  readonly served: number;
}

/** One part of so many is shared evenly. */
const EVEN_PART = 4;

/**
 * Parts slots among those that claim them: a quarter evenly, so that a child which claims too much leaves the others
 * enough, the rest by what each could use besides, so that a message waits about equally long wherever it has come in.
 * Nobody claims less than it holds. What cannot be parted exactly goes to whom it is missing most, and else stays where
 * it is; but with fewer slots than claimants they go round.
 * @returns the shares in the order of the claims; their sum is `slots` at most
 */
export function fairShares(claims: readonly Claim[], slots: number): number[] {
  const wanted = claims.map(({ held, need }) => Math.max(held, need));
  if (sum(wanted) <= slots) return wanted;
  const claimants = claims.map((_, at) => at).filter((at) => (wanted[at] ?? 0) > 0);
  const of = (at: number): Claim => claims[at] ?? NOBODY;
  if (slots < claimants.length) {
    const first = new Set(claimants.sort((a, b) => byTurn(of(a), of(b))).slice(0, slots));
    return claims.map((_, at) => (first.has(at) ? 1 : 0));
  }
  const even = Math.max(1, Math.floor(slots / (EVEN_PART * claimants.length)));
  const sure = wanted.map((each) => Math.min(each, even));
  const rate = (slots - sum(sure)) / (sum(wanted) - sum(sure));
  const exact = wanted.map((each, at) => (sure[at] ?? 0) + (each - (sure[at] ?? 0)) * rate);
  const shares = exact.map(Math.floor);
  const rest = (at: number): number => (exact[at] ?? 0) - (shares[at] ?? 0);
  const odd = slots - sum(shares);
  const first = claimants.sort((a, b) => rest(b) - rest(a) || byHeld(of(a), of(b)));
  for (const at of first.slice(0, odd)) shares[at] = (shares[at] ?? 0) + 1;
  return shares;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
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
