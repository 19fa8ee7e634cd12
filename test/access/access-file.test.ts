import { expect, test } from "bun:test";
import { parseAccessFile } from "../../src/access/access-file.ts";

function rulesOf(text: string): unknown[] {
  return parseAccessFile(text, "hosts.allow").rules.map(({ line, daemons, clients, options }) => [
    line,
    daemons.join(" "),
    clients.join(" "),
    options,
  ]);
}

test("rules, comments, blanks and continued lines", () => {
  const text = "# sshd: ALL\n\n \t\nALL :10.1.,\t[::1]/128\nclamav-\\\nmilter: a\\\n, b : deny\\\n\n";
  expect(rulesOf(text)).toEqual([
    [4, "ALL", "10.1. [::1]/128", null],
    [8, "clamav-milter", "a b", " deny\n"],
  ]);
});

test("a continued comment hides the line below it, as in libwrap", () => {
  expect(rulesOf("# old rules \\\nALL: ALL\n")).toEqual([]);
});

test("files with the line ends of other systems", () => {
  expect(rulesOf("ALL: 10.1.\r\n\r\n")).toEqual([[1, "ALL", "10.1.", null]]);
});

test("a line without a colon is named and passed over", () => {
  const { rules, broken, warnings } = parseAccessFile("ALL 10.1.\nALL: 10.2.\n", "/etc/hosts.allow");
  expect([rules.length, broken]).toEqual([1, null]);
  expect(warnings).toEqual(['/etc/hosts.allow:1: no ":" between daemons and clients: the line is ignored']);
});

test.each([
  ["ALL: ALL", 1],
  ["x: y\nALL: ALL", 2],
  ["x: y\nALL: ALL\\\n", 3],
  [`x: y\n${"a".repeat(2044)}: b\nALL: ALL\n`, 2],
  [`x: y\n${"a".repeat(1000)}\\\n${"a".repeat(1045)}: b\nALL: ALL\n`, 3],
])("what follows an unusable line is lost: %#", (text, line) => {
  const { rules, broken, warnings } = parseAccessFile(text, "/etc/hosts.deny");
  expect(rules.length).toBe(text.startsWith("x") ? 1 : 0);
  expect(broken).toEqual({ line, reason: "no newline at its end, or longer than 2047 bytes" });
  expect(warnings.join()).toContain(`/etc/hosts.deny:${line}: no newline at its end`);
});

test("the longest line there may be", () => {
  expect(rulesOf(`${"a".repeat(2041)}: ALL\n`)).toHaveLength(1);
  expect(rulesOf(`${"a".repeat(2042)}: ALL\n`)).toHaveLength(0);
});

test("a NUL hides the rest of its line, as it does from libwrap", () => {
  expect(rulesOf("AL\0x: y\nL: ALL\n")).toEqual([[1, "ALL", "ALL", null]]);
});
