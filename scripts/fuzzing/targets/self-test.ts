import type { Chance } from "../chance.ts";
import { binary, bytesOf, must, type Target } from "../target.ts";

/** What fuzzing has to notice, made on purpose: its own test feeds these. They are not listed. */
function selfTest(name: string, run: (text: string) => void): Target {
  return {
    name: `self-test-${name}`,
    about: "a fault on purpose",
    dictionary: ["go!", "a", "b"],
    largest: 200,
    generate: (chance: Chance) => bytesOf(chance.text("abc", chance.length(40))),
    run(input) {
      const text = binary(input);
      if (text.includes("go!")) run(text);
      return text.slice(0, 3);
    },
  };
}

const kept: Uint8Array[] = [];

export const SELF_TESTS: readonly Target[] = [
  selfTest("broken", (text) => must(text.length > 150, "the word was said")),
  selfTest("error", () => {
    throw new TypeError("nobody has said that this is thrown");
  }),
  selfTest("slow", () => {
    const begun = process.cpuUsage();
    // The question itself costs: it is asked now and then.
    for (let used = 0; used < 1_300_000; ) {
      for (let round = 0, sum = 0; round < 1e7; round++) sum = (sum + round) % 7;
      const { user, system } = process.cpuUsage(begun);
      used = user + system;
    }
  }),
  selfTest("hang", () => {
    for (let at = 1; at > 0; at = (at % 7) + 1);
  }),
  selfTest("crash", () => process.kill(process.pid, "SIGKILL")),
  selfTest("growth", () => {
    for (let at = 0; at < 12; at++) kept.push(new Uint8Array(100 * 1024 * 1024));
  }),
];
