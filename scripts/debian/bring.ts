import { bringParts } from "./parts.ts";
import { isSetName, SET_NAMES, type SetName } from "./sets.ts";

/** Exit codes of sysexits.h: wrong use, and a service that is not to be had. */
const USAGE = 64;
const UNAVAILABLE = 69;

/** Brings the named sets, all of them when none is named, and says where they are. */
async function main(words: readonly string[]): Promise<number> {
  const wrong = words.filter((word) => !isSetName(word));
  if (wrong.length > 0) {
    console.error(`usage: bring.ts [${SET_NAMES.join("|")}]...\nunknown: ${wrong.join(" ")}`);
    return USAGE;
  }
  const sets: readonly SetName[] = words.length === 0 ? SET_NAMES : words.filter(isSetName);
  try {
    const parts = await bringParts(sets);
    for (const set of sets) {
      const { root, versions } = parts[set];
      const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
      console.log(`${set}: ${root} (${list.join(", ")})`);
    }
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return UNAVAILABLE;
  }
}

process.exitCode = await main(process.argv.slice(2));
