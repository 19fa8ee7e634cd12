import { bringParts } from "../debian/parts.ts";
import { readOrder, type SoakOrder } from "./order.ts";
import { soakMode } from "./soak-mode.ts";

const USAGE = 64;
const INTERRUPTED = 130;
/** What the end may take besides the ordered time. Milliseconds. */
const END_PATIENCE = 115_000;
const MOST_SHOWN = 60;

async function main(words: readonly string[]): Promise<number> {
  let order: SoakOrder;
  try {
    order = readOrder(words, "soak", Date.now() % 1_000_000);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return USAGE;
  }
  let stopped = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      stopped = true;
    });
  console.log(`soak: ${order.minutes} minutes, --seed ${order.seed}, ${order.modes.join(" and ")}`);
  await bringParts(["clamav"]);
  // Whatever hangs: all that was started dies with this process.
  const bound = setTimeout(
    () => {
      console.error("NOT ok: the run does not end by itself");
      process.exit(1);
    },
    order.minutes * 60_000 + END_PATIENCE,
  );
  const say = (line: string): void => console.log(line);
  const runs = order.modes.map((mode) =>
    soakMode({ order, mode, say, stopped: () => stopped }).catch((error: unknown) => ({
      lines: [],
      wrong: [`${mode}: ${error instanceof Error ? (error.stack ?? error.message) : error}`],
    })),
  );
  const results = await Promise.all(runs);
  clearTimeout(bound);
  console.log("\nSummary");
  for (const line of results.flatMap(({ lines }) => lines)) console.log(line);
  const wrong = results.flatMap((result) => result.wrong);
  for (const each of wrong.slice(0, MOST_SHOWN)) console.log(`NOT ok: ${each}`);
  if (wrong.length > MOST_SHOWN) console.log(`and ${wrong.length - MOST_SHOWN} more`);
  if (wrong.length > 0) console.log(`soak: NOT ok, ${wrong.length} things are wrong`);
  else console.log(stopped ? "soak: interrupted, before the last looks" : "soak: ok");
  if (stopped) return INTERRUPTED;
  return wrong.length === 0 ? 0 : 1;
}

process.exit(await main(process.argv.slice(2)));
