/** Numbers that look random and are the same in every run: all targets get the same mails. */
export interface Random {
  /** An integer from 0 up to, not including, `limit`. */
  below(limit: number): number;
  bytes(count: number): Buffer;
  pick<T>(values: readonly [T, ...T[]]): T;
}

/** Marsaglia's xorshift with 32 bits of state: quick, and random enough to be incompressible. */
export function seeded(seed: number): Random {
  let state = (seed * 2654435761) >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
  // Small seeds are much alike in the first numbers.
  for (let count = 0; count < 16; count++) next();
  const below = (limit: number): number => next() % limit;
  return {
    below,
    bytes: (count) => {
      const words = new Uint32Array(Math.ceil(count / 4));
      for (let at = 0; at < words.length; at++) words[at] = next();
      return Buffer.from(words.buffer, 0, count);
    },
    pick: (values) => values[below(values.length)] ?? values[0],
  };
}
