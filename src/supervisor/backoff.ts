/** A child that lived so long did not die of its start. Milliseconds. */
const LIVED_LONG = 10_000;
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 30_000;

/**
 * The pause before a dead child is replaced: none when it had lived long, growing while children die young.
 * @param youngDeaths deaths in a row that came soon after the start, this one included if it did
 * @returns milliseconds
 */
export function respawnPause(youngDeaths: number): number {
  if (youngDeaths === 0) return 0;
  return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (youngDeaths - 1));
}

/** How many young deaths in a row there are after a child has died at the age of `lived` milliseconds. */
export function countYoungDeaths(before: number, lived: number): number {
  return lived >= LIVED_LONG ? 0 : before + 1;
}

const FIRST_RELOAD_PAUSE = 1000;
const LONGEST_RELOAD_PAUSE = 3_600_000;

/**
 * The pause before a database is loaded again beside the one in use. It grows much faster than that of a child: each
 * attempt needs the memory of a database, and a host that has too little of it kills each one.
 * @param deaths engines in a row that ended while they loaded, 1 or more
 * @returns milliseconds
 */
export function reloadPause(deaths: number): number {
  return Math.min(LONGEST_RELOAD_PAUSE, FIRST_RELOAD_PAUSE * 4 ** (deaths - 1));
}
