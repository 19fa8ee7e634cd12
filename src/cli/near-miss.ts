/** Edit distance where a swap of two neighbours counts as one step, as that is the commonest typing slip. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let best = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) best = Math.min(best, (beforeLast[column - 2] ?? 0) + 1);
      current.push(best);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}

/**
 * The candidate that `typed` was probably meant to be, or null when none is close: upper and lower case
 * do not count, and about one slip in four letters (at least one, at most three) is allowed.
 */
export function nearMiss(typed: string, candidates: Iterable<string>): string | null {
  const wanted = typed.toLowerCase().slice(0, 100);
  const allowed = Math.min(3, Math.max(1, Math.floor(wanted.length / 4)));
  let found: string | null = null;
  let foundAt = allowed + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - wanted.length) > allowed) continue;
    const far = distance(wanted, candidate.toLowerCase());
    if (far < foundAt) {
      found = candidate;
      foundAt = far;
    }
  }
  return found;
}
