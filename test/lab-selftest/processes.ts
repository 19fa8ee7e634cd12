import { readdirSync, readFileSync } from "node:fs";

/** Command lines of all processes that have a text in their arguments or their environment. */
export function processesNaming(text: string): string[] {
  const numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return numbers.flatMap((number) => {
    try {
      const words = readFileSync(`/proc/${number}/cmdline`, "latin1").replaceAll("\0", " ");
      const environment = readFileSync(`/proc/${number}/environ`, "latin1");
      return words.includes(text) || environment.includes(text) ? [`${number} ${words}`] : [];
    } catch {
      // It ended while we looked.
      return [];
    }
  });
}
