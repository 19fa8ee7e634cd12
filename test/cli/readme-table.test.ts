import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { OPTIONS } from "../../src/cli/options.ts";
import { README_BEGIN, README_END, readmeTable } from "../../src/cli/readme-table.ts";

test("the table has a row of three cells for each option", () => {
  const rows = readmeTable().trimEnd().split("\n").slice(2);
  expect(rows).toHaveLength(OPTIONS.length);
  for (const row of rows) expect(row.replaceAll("\\|", "").match(/\|/g)).toHaveLength(4);
  expect(rows[0]).toStartWith("| `-e`, `--external` | ");
  expect(readmeTable()).toContain("`--on-oversize=accept\\|tempfail\\|reject`");
});

test("README.md has the table of today's options", () => {
  const readme = readFileSync(join(import.meta.dir, "../../README.md"), "utf8");
  const begin = readme.indexOf(README_BEGIN);
  const end = readme.indexOf(README_END);
  expect(begin).toBeGreaterThan(-1);
  expect(end).toBeGreaterThan(begin);
  expect(readme.slice(begin + README_BEGIN.length, end).trim()).toBe(readmeTable().trim());
});
