import { expect, test } from "bun:test";
import { canonicalNetwork, isHostName, parseAddress } from "../../src/cli/network.ts";
import { parseServerList } from "../../src/cli/server-list.ts";

const NETWORKS: readonly (readonly [string, string | null])[] = [
  ["192.0.2.0/24", "192.0.2.0/24"],
  ["192.0.2.77/24", "192.0.2.0/24"],
  ["192.0.2.1", "192.0.2.1/32"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["2001:db8::/32", "2001:db8::/32"],
  ["2001:DB8:0:0::1/64", "2001:db8::/64"],
  ["::1", "::1/128"],
  ["::ffff:10.1.2.3/104", "10.0.0.0/8"],
  ["::ffff:192.0.2.1", "192.0.2.1/32"],
  ["192.0.2.0/33", null],
  ["2001:db8::/129", null],
  ["192.0.2.0/-1", null],
  ["192.0.2.0/", null],
  ["192.0.2.0/24/8", null],
  ["192.0.2", null],
  ["192.0.02.1", null],
  ["0x7f.0.0.1", null],
  ["10", null],
  ["fe80::1%eth0/64", null],
  ["localhost", null],
  ["", null],
];
test.each(NETWORKS)("network %p is %p", (text, canonical) => {
  expect(canonicalNetwork(text)).toBe(canonical);
});

test("addresses are read strictly", () => {
  expect(parseAddress("127.0.0.1")?.kind()).toBe("ipv4");
  expect(parseAddress("::1")?.kind()).toBe("ipv6");
  for (const text of ["127.1", "2130706433", "::1::", "1.2.3.4.5", "", "host"])
    expect(parseAddress(text)).toBeNull();
});

test("host names", () => {
  for (const name of ["a", "mail.example.org", "a_b.example.", "x-1"]) expect(isHostName(name)).toBeTrue();
  for (const name of ["", "-a", "a..b", "a b", "a/b", "ä", "a".repeat(64)])
    expect(isHostName(name)).toBeFalse();
});

const LISTS: readonly (readonly [string, readonly string[] | string])[] = [
  ["a", ["a"]],
  ["a:b", ["a", "b"]],
  ["a::b:", ["a", "b"]],
  ["192.0.2.1:mail.example.org:[2001:db8::1]", ["192.0.2.1", "mail.example.org", "2001:db8::1"]],
  ["[::1]", ["::1"]],
  ["::1", "an IPv6 address in square brackets: [::1]"],
  ["2001:db8::1", "an IPv6 address in square brackets: [2001:db8::1]"],
  ["", "separated by colons"],
  [":", "separated by colons"],
  ["a b", 'not "a b"'],
  ["a,b", 'not "a,b"'],
  ["192.0.2.300", 'not "192.0.2.300"'],
  ["[host]", 'not "[host]"'],
  ["[::1", "separated by colons"],
  ["a[::1]", "separated by colons"],
];
test.each(LISTS)("server list %p", (text, expected) => {
  const parsed = parseServerList(text);
  if (typeof expected === "string") expect(parsed).toContain(expected);
  else expect(parsed).toEqual(expected);
});
