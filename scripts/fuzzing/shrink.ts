/**
 * Takes away from an input what is not needed (delta debugging: ever smaller pieces, as long as that helps).
 * @param stillFails whether the same is wrong with another input
 * @param within milliseconds
 */
export async function shrunk(
  input: Uint8Array,
  stillFails: (input: Uint8Array) => Promise<boolean>,
  within: number,
): Promise<Uint8Array> {
  const end = performance.now() + within;
  let least = input;
  for (let length = 2 ** Math.ceil(Math.log2(Math.max(2, input.length))); length >= 1; length /= 2) {
    for (let at = 0; at < least.length; ) {
      if (performance.now() > end) return least;
      const shorter = Buffer.concat([least.subarray(0, at), least.subarray(at + length)]);
      if (shorter.length < least.length && (await stillFails(shorter))) least = shorter;
      else at += length;
    }
  }
  return least;
}
