import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { execution, type HuntResult, hunt } from "../../scripts/fuzzing/hunt.ts";
import { oversee } from "../../scripts/fuzzing/oversee.ts";
import { targetNamed } from "../../scripts/fuzzing/targets.ts";
import { plainFolder } from "../lab/folder.ts";
import { run } from "../lab/process.ts";

const folder = plainFolder();
afterAll(() => folder.remove());
const FUZZ = join(import.meta.dir, "../../scripts/fuzz");

function hunted(name: string, executions: number, seed = 1): Promise<HuntResult> {
  const target = targetNamed(name);
  if (target === null) throw new Error(`no target ${name}`);
  return hunt(target, { seed, executions, time: 30_000, corpus: [], onStart: () => {} });
}

describe("what is noticed", () => {
  test.each([
    ["broken", "Broken: the word was said"],
    ["error", "TypeError: nobody has said that this is thrown"],
  ])("%s, with the least input that shows it", async (name, what) => {
    const { findings } = await hunted(`self-test-${name}`, 2000);
    expect(findings).toHaveLength(1);
    expect(findings[0]?.what).toStartWith(what);
    expect(Buffer.from(findings[0]?.input ?? []).toString()).toBe("go!");
  });

  test.each([
    ["hang", /^hang: no end after 2 s$/],
    ["crash", /^the process ended with SIGKILL$/],
    ["growth", /^growth: more than/],
  ])(
    "%s",
    async (name, what) => {
      const order = { target: `self-test-${name}`, seed: 1, executions: 2000, time: 60_000, patience: 2000 };
      const { findings } = await oversee(order, folder.path);
      expect(findings.map((finding) => what.test(finding.what))).toEqual([true]);
      if (name !== "growth") expect(Buffer.from(findings[0]?.input ?? []).toString()).toContain("go!");
    },
    60_000,
  );
});

test("an execution that is slow three times is a fault", async () => {
  const target = targetNamed("self-test-slow");
  const { fault } = target === null ? { fault: null } : await execution(target, Buffer.from("go!"));
  expect(fault).toMatch(/^slow: \d+ ms for 3 bytes$/);
});

test("one seed gives one run, another seed another", async () => {
  const shape = async (seed: number) => {
    const { time: _, ...result } = await hunted("clamd-session", 300, seed);
    return JSON.stringify(result);
  };
  const [first, again, other] = [await shape(5), await shape(5), await shape(6)];
  expect(again).toBe(first);
  expect(other).not.toBe(first);
});

test("the command keeps a finding, repeats it and ends with 1", async () => {
  const target = "self-test-broken";
  const words = [FUZZ, "--target", target, "--executions", "1000", "--findings", folder.path];
  const found = await run({ argv: words });
  expect(found.exitCode).toBe(1);
  const path = /\S+\.input/.exec(found.stdout)?.[0] ?? "";
  expect(readFileSync(path, "latin1")).toBe("go!");
  expect(JSON.parse(readFileSync(path.replace(/input$/, "json"), "utf8"))).toMatchObject({ target, seed: 1 });
  const again = await run({ argv: [FUZZ, "--target", target, "--repeat", path] });
  expect([again.exitCode, again.stdout]).toEqual([1, "Broken: the word was said\n"]);
  const fine = await run({ argv: [FUZZ, "--target", "clamd-replies", "--repeat", path] });
  expect([fine.exitCode, fine.stdout.split(":")[0]]).toEqual([0, "nothing is wrong"]);
}, 60_000);

test("a run without findings ends with 0, a wrong command line with 64", async () => {
  const well = await run({ argv: [FUZZ, "--target", "clamd-replies", "--executions", "50", "--seed", "3"] });
  expect(well.exitCode).toBe(0);
  expect(well.stdout).toMatch(/^clamd-replies +50 .* 3 +0$/m);
  expect((await run({ argv: [FUZZ, "--target", "nothing"] })).exitCode).toBe(64);
}, 60_000);
