import type { Excuses } from "./excuses.ts";
import type { Fault, FaultWorld } from "./fault.ts";

/** Lets a fault happen, with its excuse. @returns what was wrong with it, or null */
export async function inflict(fault: Fault, world: FaultWorld, excuses: Excuses): Promise<string | null> {
  const over = excuses.begin(fault.excuse, fault.aftermath);
  try {
    await fault.run(world);
    return null;
  } catch (error) {
    return `${fault.name}: ${error instanceof Error ? error.message : error}`;
  } finally {
    over();
  }
}

/** Lines of the filter's log that tell of a fault of its own. */
export function ownFaults(log: string): string[] {
  return log.split("\n").filter((line) => /a fault of this program|no known kind|^\s+at .*\(/.test(line));
}
