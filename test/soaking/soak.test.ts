import { expect, test } from "bun:test";
import { join } from "node:path";
import { REPOSITORY } from "../../scripts/debian/parts.ts";
import { run } from "../lab/process.ts";

test("scripts/soak: a short run ends by itself, with right verdicts and a summary", async () => {
  const argv = [
    join(REPOSITORY, "scripts/soak"),
    "--minutes=0.2",
    "--seed=4",
    "--external",
    "--connexions=4",
  ];
  const { exitCode, stdout, stderr } = await run({ argv, deadline: 100_000 });
  expect(`${stdout}${stderr}`).toContain("soak: ok");
  expect(stdout).toMatch(/external: \d+ messages, 0 wrong, \d+ temporary failures/);
  expect(stdout).toMatch(/\d+ processes/);
  expect(exitCode).toBe(0);
}, 110_000);

test("scripts/soak and scripts/chaos: what is no option of theirs is told", async () => {
  for (const name of ["soak", "chaos"]) {
    const { exitCode, stderr } = await run({ argv: [join(REPOSITORY, "scripts", name), "--what"] });
    expect([exitCode, stderr]).toEqual([64, expect.stringContaining(`usage: scripts/${name} `)]);
  }
});
