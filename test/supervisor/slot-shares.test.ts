import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Claim, fairShares } from "../../src/supervisor/slot-shares.ts";

function claims(...pairs: readonly (readonly [held: number, need: number])[]): Claim[] {
  return pairs.map(([held, need], served) => ({ held, need, served }));
}

test.each([
  ["all have what they claim", 10, claims([1, 3], [2, 2]), [3, 2]],
  ["the small claim is met, the rest is parted", 10, claims([0, 2], [0, 50], [0, 50]), [2, 4, 4]],
  ["what is odd stays where it is", 5, claims([0, 9], [3, 9]), [2, 3]],
  ["nobody claims less than it holds", 4, claims([4, 0], [0, 4]), [2, 2]],
  ["fewer slots than claimants: who has none comes first", 1, claims([1, 9], [0, 9]), [0, 1]],
  ["among those who have none the one that waits for longest", 1, claims([0, 9], [0, 9]), [1, 0]],
  ["no claimant", 4, [], []],
])("%s", (_, slots, made, shares) => {
  expect(fairShares(made, slots)).toEqual(shares);
});

test("never more than there is, never more than was claimed, and nothing is left while somebody has less", () => {
  const claim = fc.record({ held: fc.nat(20), need: fc.nat(40), served: fc.nat(100) });
  fc.assert(
    fc.property(fc.array(claim, { maxLength: 16 }), fc.nat(200), (made, slots) => {
      const shares = fairShares(made, slots);
      const wanted = made.map(({ held, need }) => Math.max(held, need));
      const sum = (list: readonly number[]): number => list.reduce((total, each) => total + each, 0);
      expect(sum(shares)).toBe(Math.min(slots, sum(wanted)));
      const unmet = shares.filter((share, at) => share < (wanted[at] ?? 0));
      for (const [at, share] of shares.entries()) {
        expect(share).toBeLessThanOrEqual(wanted[at] ?? 0);
        // Nobody has more than one above somebody who would take more.
        for (const less of unmet) expect(share).toBeLessThanOrEqual(less + 1);
      }
    }),
    { numRuns: 1000 },
  );
});
