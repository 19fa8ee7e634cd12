import { expect, test } from "bun:test";
import { verifyName } from "../../src/access/verified-name.ts";

test.each([
  ["no name", null, [], "unknown"],
  ["an empty name", "", ["192.0.2.25"], "unknown"],
  ["there and back", "mx.example.org", ["203.0.113.1", "192.0.2.25"], "mx.example.org"],
  ["with the dot of the root", "mx.example.org.", ["192.0.2.25"], "mx.example.org"],
  ["back to a mapped address", "mx.example.org", ["::ffff:192.0.2.25"], "mx.example.org"],
  ["somewhere else", "mx.example.org", ["203.0.113.1"], "paranoid"],
  ["nowhere", "mx.example.org", [], "paranoid"],
  ["an address for a name", "192.0.2.25", ["192.0.2.25"], "paranoid"],
  ["half an address for a name", "10.1", ["192.0.2.25"], "paranoid"],
  ["an IPv6 address for a name", "::1", ["192.0.2.25"], "paranoid"],
])("%s", (_what, reverse, forward, name) => {
  expect(verifyName(reverse, forward, "192.0.2.25")).toBe(name);
  expect(verifyName(reverse, forward, "::ffff:192.0.2.25")).toBe(name);
});

test("IPv6 addresses are the same however they are written", () => {
  expect(verifyName("mx", ["2001:DB8:0:0::25"], "2001:db8::25")).toBe("mx");
  expect(verifyName("mx", ["2001:db8::26"], "2001:db8::25")).toBe("paranoid");
  expect(verifyName("mx", ["fe80::1"], "fe80::1%eth0")).toBe("mx");
});

test("an address that leads to an alias is mistrusted, where that is known", () => {
  expect(verifyName("mx.example.org", ["192.0.2.25"], "192.0.2.25", "host7.example.org")).toBe("paranoid");
  expect(verifyName("MX.example.org", ["192.0.2.25"], "192.0.2.25", "mx.example.org")).toBe("MX.example.org");
  expect(verifyName("localhost", ["127.0.0.1"], "127.0.0.1", "localhost.localdomain")).toBe("localhost");
});
