import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { CORPUS, corpusOf } from "../../scripts/fuzzing/corpus.ts";
import { execution, hunt } from "../../scripts/fuzzing/hunt.ts";
import { TARGETS } from "../../scripts/fuzzing/targets.ts";

/** Few: scripts/fuzz does the rest. All of them together take some seconds. */
const EXECUTIONS = 120;

test("every folder of the corpus has its target", () => {
  const names = TARGETS.map(({ name }) => name);
  expect(readdirSync(CORPUS).filter((folder) => !names.includes(folder))).toEqual([]);
});

describe.each(TARGETS.map((target) => [target.name, target] as const))("%s", (name, target) => {
  for (const { file, input } of corpusOf(name)) {
    test(`corpus: ${file}`, async () => {
      expect((await execution(target, input)).fault).toBeNull();
    }, 30_000);
  }

  test("some inputs of a fixed seed", async () => {
    const order = { seed: 4, executions: EXECUTIONS, time: 30_000, corpus: [], onStart: () => {} };
    const { executions, findings } = await hunt(target, order);
    expect(findings).toEqual([]);
    expect(executions).toBe(EXECUTIONS);
  }, 60_000);
});
