import { afterEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Settings } from "../../src/config/settings.ts";
import { prepareMailPlaces } from "../../src/supervisor/mail-places.ts";
import { startFailure } from "../cli/start-failure.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function lab() {
  const folder = mkdtempSync(join(tmpdir(), "mail-places-"));
  folders.push(folder);
  const settings = {
    quiet: false,
    infected: { reportPhish: null, reportFalsePositives: null, quarantineDirectory: null },
    notices: {
      spoolDirectory: join(folder, "a/spool"),
      instance: "x",
      templateFile: null,
      templateHeaders: null,
    },
    signature: null,
  };
  return { folder, settings: settings as unknown as Settings };
}

test("the spool directory is made, for us alone; with --quiet it is not needed", () => {
  const { folder, settings } = lab();
  prepareMailPlaces(settings);
  expect(statSync(join(folder, "a/spool/x")).mode & 0o777).toBe(0o700);
  expect(
    prepareMailPlaces({
      ...settings,
      quiet: true,
      notices: { ...settings.notices, spoolDirectory: "/proc/no" },
    }),
  ).toEqual([]);
});

test("one that others can enter, or that cannot be made, keeps the program from starting", () => {
  const { folder, settings } = lab();
  mkdirSync(join(folder, "a/spool"), { recursive: true });
  chmodSync(join(folder, "a/spool"), 0o750);
  expect(startFailure(() => prepareMailPlaces(settings))).toMatchObject({
    exitCode: 73,
    message: expect.stringContaining("its mode is 0750; group and others must have no right to it"),
  });
  const elsewhere = { ...settings, notices: { ...settings.notices, spoolDirectory: "/proc/no" } };
  expect(startFailure(() => prepareMailPlaces(elsewhere)).message).toStartWith("--spool-dir: /proc/no: ");
});

test("templates and signature are read, and header lines looked at", () => {
  const { folder, settings } = lab();
  const file = join(folder, "file");
  const withHeaders = { ...settings, notices: { ...settings.notices, templateHeaders: file } };
  writeFileSync(file, "X-A: b\nBcc: evil@example.org\n");
  expect(startFailure(() => prepareMailPlaces(withHeaders))).toMatchObject({
    exitCode: 78,
    message: expect.stringContaining(`--template-headers: ${file}: line 2: "Bcc:" is not allowed here`),
  });
  writeFileSync(file, "");
  expect(startFailure(() => prepareMailPlaces({ ...settings, signature: { file } }))).toMatchObject({
    exitCode: 64,
  });
  const missing = { ...settings, notices: { ...settings.notices, templateFile: join(folder, "none") } };
  expect(startFailure(() => prepareMailPlaces(missing))).toMatchObject({ exitCode: 78 });
});
