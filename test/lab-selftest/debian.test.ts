import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseSimulation } from "../../scripts/debian/apt.ts";
import { withLock } from "../../scripts/debian/lock.ts";
import { bringParts } from "../../scripts/debian/parts.ts";
import { SET_NAMES, SETS } from "../../scripts/debian/sets.ts";
import { plainFolder } from "../lab/folder.ts";
import { mail } from "../lab/mail.ts";

test("everything is unpacked and loads", async () => {
  const parts = await bringParts(SET_NAMES);
  for (const set of SET_NAMES) {
    for (const program of SETS[set].programs) expect(existsSync(join(parts[set].root, program))).toBe(true);
    expect(Object.keys(parts[set].versions)).toContain(SETS[set].packages[0] ?? "");
  }
});

test("a simulated installation is read: new, upgraded, removed and foreign packages", () => {
  const text = `Remv postfix [3.7.11]
Inst m4 (1.4.19-3 Debian:12.15/oldstable [amd64])
Inst libssl3 [3.0.1-1] (3.0.2-1 Debian:12.15/oldstable [amd64]) []
Inst libz1:i386 (1.0 Debian:12.15/oldstable [i386])
Conf m4 (1.4.19-3 Debian:12.15/oldstable [amd64])
`;
  expect(parseSimulation(text)).toEqual([
    { name: "m4", version: "1.4.19-3" },
    { name: "libssl3", version: "3.0.2-1" },
  ]);
});

test("a lock is held by one at a time and given back when the job fails", async () => {
  const folder = plainFolder();
  const file = join(folder.path, "lock");
  let inside = 0;
  let most = 0;
  const job = async (): Promise<void> => {
    inside++;
    most = Math.max(most, inside);
    await Bun.sleep(20);
    inside--;
  };
  const failing = withLock(file, () => Promise.reject(new Error("the job failed")));
  await Promise.all([
    expect(failing).rejects.toThrow("the job failed"),
    withLock(file, job),
    withLock(file, job),
  ]);
  expect(most).toBe(1);
  folder.remove();
});

test("a built message has CRLF ends only and wraps base64", () => {
  const text = mail({
    headers: [["X-Folded", "one\n two"]],
    attachments: [{ name: "a", content: "x".repeat(500) }],
  });
  expect(text).toStartWith("X-Folded: one\r\n two\r\nFrom: ");
  expect(text.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
  expect(Math.max(...text.split("\r\n").map((line) => line.length))).toBeLessThanOrEqual(78);
});
