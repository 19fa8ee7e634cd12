import { expect, test } from "bun:test";
import { parseAccessFile } from "../../src/access/access-file.ts";
import { accessDependencies } from "../../src/access/dependencies.ts";

function needs(text: string, files: Readonly<Record<string, string | null>> = {}) {
  return accessDependencies(parseAccessFile(text, "hosts.allow"), files);
}

test("files and netgroups of rules for us, not of other daemons", () => {
  const text = `sshd: /etc/ssh @ssh .example.org
ALL EXCEPT clamav-milter: /etc/others @others
clamav-milter: root@/etc/mx EXCEPT /etc/bad, @mailers ALL@@trusted
`;
  expect(needs(text)).toEqual({
    files: ["/etc/mx", "/etc/bad"],
    netgroups: ["mailers", "trusted"],
    needsName: true,
  });
});

test("rules that depend on our own address or port count", () => {
  expect(needs("ALL EXCEPT clamav-milter@/etc/ours: /etc/mx\n").files).toEqual(["/etc/mx", "/etc/ours"]);
  expect(needs("7357: /etc/mx\n").files).toEqual(["/etc/mx"]);
  expect(needs("sshd@ALL: /etc/mx\n").files).toEqual([]);
});

test("files that are named in files", () => {
  const text = "ALL: /etc/a\n";
  expect(needs(text).files).toEqual(["/etc/a"]);
  const known = { "/etc/a": "10.1. /etc/b /etc/a", "/etc/b": ".example.org @mailers" };
  expect(needs(text, { "/etc/a": known["/etc/a"] })).toEqual({
    files: ["/etc/a", "/etc/b"],
    netgroups: [],
    needsName: false,
  });
  expect(needs(text, known)).toEqual({
    files: ["/etc/a", "/etc/b"],
    netgroups: ["mailers"],
    needsName: true,
  });
  expect(needs(text, { "/etc/a": null }).files).toEqual(["/etc/a"]);
});

test.each([
  ["ALL: ALL EXCEPT 10.1. 10.0.0.0/8 [::1] [2001:db8::]/32 all\n", false],
  ["sshd: .example.org\n", false],
  ["ALL: UNKNOWN\n", true],
  ["ALL: ALL EXCEPT LOCAL\n", true],
  ["ALL: *.example.org\n", true],
])("%j needs a name: %p", (text, needed) => {
  expect(needs(text).needsName).toBe(needed);
});

test("in a file EXCEPT is a word like others, and may be a name", () => {
  const rules = parseAccessFile("ALL: /names\n", "/etc/hosts.allow");
  expect(accessDependencies(rules, { "/names": "EXCEPT" }).needsName).toBe(true);
  const list = parseAccessFile("ALL: 10. EXCEPT 10.1.\n", "/etc/hosts.allow");
  expect(accessDependencies(list).needsName).toBe(false);
});
