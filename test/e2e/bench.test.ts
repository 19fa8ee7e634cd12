import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "../../scripts/debian/parts.ts";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { run, startProcess } from "../lab/process.ts";
import { until } from "../lab/wait.ts";

const BENCH = join(REPOSITORY, "scripts/bench");
const TINY = ["--sizes=2k", "--concurrency=2", "--rounds=1", "--messages=0.1", "--signatures=500"];
let folder: LabFolder;

beforeEach(() => {
  folder = plainFolder();
});

afterEach(() => folder.remove());

/** Command lines that name the test's folder. */
function left(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
      } catch {
        return "";
      }
    })
    .filter((line) => line.includes(`${folder.path}/bench-`));
}

test("one small load through every filter: figures for all, every verdict right, nothing left behind", async () => {
  const json = join(folder.path, "figures.json");
  const argv = [BENCH, "--sections=scan,unscanned", ...TINY, "--json", json];
  const { exitCode, stdout, stderr } = await run({ argv, env: { TMPDIR: folder.path }, deadline: 60_000 });
  expect([exitCode, stderr]).toEqual([0, ""]);
  for (const target of [
    "clamd-stream",
    "clamd-fildes",
    "clamav-milter",
    "clamav-milter-tcp",
    "ours-unix",
    "ours-tcp",
    "ours-internal",
  ]) {
    expect(stdout).toMatch(new RegExp(`^2k x2 +${target} +[0-9.]+ .* 0$`, "m"));
  }
  expect(stdout).toContain("every verdict was right");
  const record = JSON.parse(readFileSync(json, "utf8"));
  expect(record.results.scan[0].turns["ours-unix"][0].messages).toBeGreaterThan(0);
  expect(record.errors).toEqual([]);
  expect(left()).toEqual([]);
  expect(readdirSync(folder.path)).toEqual(["figures.json"]);
}, 90_000);

test("told to end it ends everything it has started", async () => {
  const argv = [BENCH, "--sections=scan", ...TINY];
  const bench = startProcess({ name: "bench", argv, env: { TMPDIR: folder.path } });
  try {
    await until(() => left().some((line) => line.includes("clamav-milter")), {
      deadline: 60_000,
      what: "a filter",
    });
    bench.signal("SIGTERM");
    expect(await bench.exited).toBe(143);
    await until(() => left().length === 0, { what: "all to end", detail: () => left().join("\n") });
    expect(readdirSync(folder.path)).toEqual([]);
  } finally {
    await bench.stop();
  }
}, 90_000);
