import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Claim, fairShares } from "../../src/supervisor/slot-shares.ts";

function claims(...pairs: readonly (readonly [held: number, need: number])[]): Claim[] {
  return pairs.map(([held, need], served) => ({ held, need, served }));
}

test.each([
  ["all have what they claim", 10, claims([1, 3], [2, 2]), [3, 2]],
  ["who has more messages has more slots", 10, claims([0, 12], [0, 20]), [4, 6]],
  ["whatever one claims, a quarter is parted evenly", 16, claims([0, 20], [0, 1_000_000]), [2, 14]],
  ["the small claim is met", 10, claims([0, 1], [0, 50], [0, 50]), [1, 5, 4]],
  ["what is odd stays where it is", 5, claims([0, 9], [3, 9]), [2, 3]],
  ["nobody claims less than it holds", 4, claims([4, 0], [0, 4]), [2, 2]],
  ["fewer slots than claimants: who has none comes first", 1, claims([1, 9], [0, 9]), [0, 1]],
  ["among those who have none the one that waits for longest", 1, claims([0, 9], [0, 9]), [1, 0]],
  ["no claimant", 4, [], []],
])("%s", (_, slots, made, shares) => {
  expect(fairShares(made, slots)).toEqual(shares);
});

test("never more than there is or was claimed, nothing left over, and who claims more has no less", () => {
  const claim = fc.record({ held: fc.nat(20), need: fc.nat(40), served: fc.nat(100) });
  fc.assert(
    fc.property(fc.array(claim, { maxLength: 16 }), fc.nat(200), (made, slots) => {
      const shares = fairShares(made, slots);
      const wanted = made.map(({ held, need }) => Math.max(held, need));
      const sum = (list: readonly number[]): number => list.reduce((total, each) => total + each, 0);
      expect(sum(shares)).toBe(Math.min(slots, sum(wanted)));
      const claimants = wanted.filter((each) => each > 0).length;
      const enough = slots >= claimants;
      for (const [at, share] of shares.entries()) {
        const want = wanted[at] ?? 0;
        expect(share).toBeLessThanOrEqual(want);
        if (!enough) expect(share).toBeLessThanOrEqual(1);
        else expect(share).toBeGreaterThanOrEqual(Math.min(want, Math.floor(slots / (4 * claimants)), slots));
        if (enough && want > 0) expect(share).toBeGreaterThan(0);
        for (const [other, less] of wanted.entries())
          if (enough && less < want) expect(share).toBeGreaterThanOrEqual((shares[other] ?? 0) - 1);
      }
    }),
    { numRuns: 1000 },
  );
});
