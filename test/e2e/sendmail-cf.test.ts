import { afterAll, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BINARY } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { run } from "../lab/process.ts";

const folder = plainFolder();
afterAll(() => folder.remove());

test("a sendmail.cf with other filters only: one line, status 78, nothing left behind", async () => {
  const at = (name: string): string => join(folder.path, name);
  writeFileSync(at("clamd.conf"), `LocalSocket ${at("clamd.sock")}\n`);
  writeFileSync(at("sendmail.cf"), "V10/Berkeley\nXspf, S=unix:/run/spf.sock, F=T\n");
  const before = readdirSync(folder.path);
  const options = ["--foreground", "-e", "-q", "-c", at("clamd.conf"), `--sendmail-cf=${at("sendmail.cf")}`];
  const ended = await run({ argv: [BINARY, ...options, at("milter.sock")] });
  expect(ended).toEqual({
    exitCode: 78,
    stdout: "",
    stderr:
      `clamav-milter: ${at("sendmail.cf")}: names no mail filter at unix:${at("milter.sock")}, only spf at ` +
      "unix:/run/spf.sock; correct that file or the socket address, or turn the check off with --no-check-cf\n",
  });
  expect(readdirSync(folder.path)).toEqual(before);
});
