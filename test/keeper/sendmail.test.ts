import { afterEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sendByProgram } from "../../src/keeper/sendmail.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function program(script: string): { path: string; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "sendmail-"));
  folders.push(folder);
  const path = join(folder, "sendmail");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return { path, folder };
}

test("arguments as they are, a clean environment, the mail on standard input", async () => {
  process.env.EVIL = "x";
  const { path, folder } = program(
    'd=$(dirname "$0"); printf "%s\\n" "$@" >"$d/args"; env >"$d/env"; cat >"$d/mail"',
  );
  const mail = `Subject: x\n\n.\n${"y".repeat(300_000)}\n`;
  expect(await sendByProgram(path, ["a@x", "$(reboot)@x"], Buffer.from(mail))).toEqual({ kind: "sent" });
  expect(readFileSync(join(folder, "args"), "utf8")).toBe("-i\n-f\n<>\n--\na@x\n$(reboot)@x\n");
  expect(readFileSync(join(folder, "mail"), "utf8")).toBe(mail);
  const env = readFileSync(join(folder, "env"), "utf8");
  expect(env).toContain("PATH=/usr/sbin:/usr/bin:/sbin:/bin\n");
  expect(env).not.toContain("EVIL");
});

for (const [script, kind, reason] of [
  ["echo no room >&2; exit 75", "later", "ended with status 75: no room"],
  ["exit 67", "never", "ended with status 67"],
  ["kill -9 $$", "later", "was ended by SIGKILL"],
  ["exec 0<&-; exit 1", "later", "ended with status 1"],
] as const) {
  test(`${script}: ${kind}`, async () => {
    const { path } = program(script);
    expect(await sendByProgram(path, ["a@x"], Buffer.alloc(500_000, "x"))).toEqual({
      kind,
      reason: `${path} ${reason}`,
    });
  });
}

test("one that hangs: ended when its time is over, later", async () => {
  const { path } = program("exec sleep 600");
  expect(await sendByProgram(path, ["a@x"], Buffer.from("x"), 300)).toEqual({
    kind: "later",
    reason: `${path} was ended after 0.3 s, for it hung`,
  });
});

test("a missing program: later", async () => {
  const result = await sendByProgram("/nonexistent/sendmail", ["a@x"], Buffer.from("x"));
  expect(result.kind).toBe("later");
});

test("one that leaves a process behind with its standard error is not waited for", async () => {
  const { path } = program("sleep 3 & exit 0");
  const begun = performance.now();
  expect(await sendByProgram(path, ["a@x"], Buffer.from("x"))).toEqual({ kind: "sent" });
  expect(performance.now() - begun).toBeLessThan(2500);
});
