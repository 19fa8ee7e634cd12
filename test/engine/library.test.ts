import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachedPart } from "../../scripts/debian/parts.ts";
import { dateText } from "../../src/engine/database.ts";
import { EngineError, loadLibrary } from "../../src/engine/library.ts";
import { TemporaryDirectory } from "../../src/engine/temporary-directory.ts";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { run } from "../lab/process.ts";

let folder: LabFolder;
beforeAll(() => {
  folder = plainFolder();
});
afterAll(() => folder.remove());

test("a library that is not there is told with what to install", () => {
  let thrown: unknown;
  try {
    loadLibrary(["libno-such-clamav.so.12"]);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(EngineError);
  expect(thrown).toMatchObject({
    code: "NO_LIBRARY",
    message: expect.stringMatching(/libno-such.*libclamav12/),
  });
});

test("a library in the current directory is never taken", async () => {
  const script = join(import.meta.dir, "../../src/engine/library.ts");
  writeFileSync(join(folder.path, "libclamav.so.12"), "evil");
  const argv = [
    process.execPath,
    "-e",
    `import { loadLibrary } from ${JSON.stringify(script)}; loadLibrary();`,
  ];
  const { stderr } = await run({ argv, cwd: folder.path, deadline: 10_000 });
  expect(stderr).not.toContain("invalid ELF header");
  expect(stderr).not.toContain("file too short");
});

test("the database directory is watched by libclamav's own look", async () => {
  const watch = join(import.meta.dir, "../../src/engine/database-watch.ts");
  const library = join(import.meta.dir, "../../src/engine/library.ts");
  const script = `
      import { writeFileSync, utimesSync } from "node:fs";
      import { DatabaseWatch } from ${JSON.stringify(watch)};
      import { loadLibrary } from ${JSON.stringify(library)};
      const directory = process.argv.at(-1);
      const file = directory + "/a.ndb";
      writeFileSync(file, "x");
      const watch = new DatabaseWatch(loadLibrary(), directory);
      const seen = [watch.changed()];
      watch.remember();
      seen.push(watch.changed());
      utimesSync(file, 1, 1);
      seen.push(watch.changed());
      watch.remember();
      seen.push(watch.changed());
      writeFileSync(directory + "/b.ndb", "x");
      seen.push(watch.changed());
      watch.forget();
      seen.push(new DatabaseWatch(loadLibrary(), "/no/such/place").changed());
      console.log(JSON.stringify(seen));`;
  const place = join(folder.path, "db");
  mkdirSync(place);
  const env = { LD_LIBRARY_PATH: cachedPart("clamav").libraryPath };
  const ended = await run({ argv: [process.execPath, "-e", script, place], env, deadline: 20_000 });
  expect(ended.stderr).toBe("");
  expect(JSON.parse(ended.stdout)).toEqual([true, false, true, false, true, true]);
}, 30_000);

test("a temporary directory is usable, or why not", () => {
  const path = join(folder.path, "temporary");
  const directory = new TemporaryDirectory(path);
  expect(directory.problem(0)).toContain("ENOENT");
  mkdirSync(path);
  expect(directory.problem(1000)).toBeNull();
  const { bavail, bsize } = statfsSync(path);
  expect(directory.problem(bavail * bsize)).toMatch(/^too little space is free/);
  rmSync(path, { recursive: true });
  expect(directory.problem(0)).toContain("ENOENT");
});

test("dates as ctime writes them", () => {
  expect(dateText(new Date(2026, 10, 2, 9, 5, 7))).toBe("Mon Nov  2 09:05:07 2026");
});
