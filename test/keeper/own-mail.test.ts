import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OwnMail } from "../../src/keeper/own-mail.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function lab() {
  const folder = mkdtempSync(join(tmpdir(), "own-mail-"));
  folders.push(folder);
  const clock = { now: 1_800_000_000_000 };
  const open = () => new OwnMail(folder, () => clock.now);
  return { folder, clock, open, own: open() };
}

const ID = "1.k.clamav-milter@mail.lab.example";

test("our own mail is known once, by brackets or not, qualified by the MTA or not", () => {
  const { own } = lab();
  const code = own.issue(ID, ["postmaster", "bob@lab.example"]);
  const claim = {
    code,
    messageId: `<${ID}>`,
    recipients: ["<postmaster@mail.lab.example>", "<BOB@lab.example>"],
  };
  expect(own.honour(claim)).toBe(true);
  expect(own.honour(claim)).toBe(false);
});

test("an MTA may split it by recipients", () => {
  const { own } = lab();
  const code = own.issue(ID, ["a@x", "b@y"]);
  expect(own.honour({ code, messageId: ID, recipients: ["<b@y>"] })).toBe(true);
  expect(own.honour({ code, messageId: ID, recipients: ["<a@x>", "<b@y>"] })).toBe(false);
  expect(own.honour({ code, messageId: ID, recipients: ["<a@x>"] })).toBe(true);
});

test("forged, replayed, late and early codes are not honoured", () => {
  const { own, clock } = lab();
  const code = own.issue(ID, ["a@x"]);
  const claim = { code, messageId: ID, recipients: ["a@x"] };
  expect(own.honour({ ...claim, messageId: "other@x" })).toBe(false);
  expect(own.honour({ ...claim, recipients: ["a@x", "victim@y"] })).toBe(false);
  expect(own.honour({ ...claim, recipients: ["a@x", "a@x"] })).toBe(false);
  expect(own.honour({ ...claim, recipients: [] })).toBe(false);
  for (const forged of [
    "",
    "1",
    "1 zz",
    code.replace("1 ", "2 "),
    code.replace(/.$/, (last) => (last === "A" ? "B" : "A")),
    "1 -1 x",
    `1 ${"z".repeat(50)}`,
  ]) {
    expect(own.honour({ ...claim, code: forged })).toBe(false);
  }
  expect(lab().own.honour(claim)).toBe(false);
  clock.now += 25 * 3_600_000;
  expect(own.honour(claim)).toBe(false);
  clock.now -= 26 * 3_600_000;
  expect(own.honour(claim)).toBe(false);
  clock.now += 3_600_000;
  expect(own.honour(claim)).toBe(true);
});

test("another process of the same instance knows the secret and what was used", () => {
  const { own, open, folder } = lab();
  const first = own.issue(ID, ["a@x"]);
  const second = own.issue("2@x", ["a@x"]);
  expect(own.honour({ code: first, messageId: ID, recipients: ["a@x"] })).toBe(true);
  const next = open();
  expect(next.honour({ code: first, messageId: ID, recipients: ["a@x"] })).toBe(false);
  expect(next.honour({ code: second, messageId: "2@x", recipients: ["a@x"] })).toBe(true);
  expect(statSync(join(folder, "secret")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(folder, "secret")).length).toBe(32);
});

test("half a secret, of a process that was killed, is replaced", () => {
  const { folder, open } = lab();
  writeFileSync(join(folder, "secret"), "");
  const own = open();
  expect(readFileSync(join(folder, "secret")).length).toBe(32);
  expect(open().honour({ code: own.issue(ID, ["a@x"]), messageId: ID, recipients: ["a@x"] })).toBe(true);
});

test("a code with characters beyond ASCII is none, and no error", () => {
  const { own, clock } = lab();
  const claim = { messageId: `<${ID}>`, recipients: ["<a@b.example>"] };
  for (const character of ["\xff", "\u0142", "\u{1f600}"]) {
    const code = `1 ${clock.now.toString(36)} ${character.repeat(16)} ${"a".repeat(15)}${character}`;
    expect(own.honour({ ...claim, code })).toBe(false);
  }
});
