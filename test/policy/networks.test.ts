import { describe, expect, test } from "bun:test";
import { isLoopback, isOnLan, parseClientAddress, parseNetworks } from "../../src/policy/networks.ts";

/** Where an address is: on this machine, on the LAN, elsewhere, or no address. */
function place(text: string, ignored: readonly string[] = []): string {
  const address = parseClientAddress(text);
  if (address === null) return "no address";
  if (isLoopback(address)) return "this machine";
  return isOnLan(address, parseNetworks(ignored)) ? "LAN" : "elsewhere";
}

describe("the borders of each network", () => {
  test.each([
    ["126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0", "this machine"],
    ["9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0", "LAN"],
    ["172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0", "LAN"],
    ["192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0", "LAN"],
    ["169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0", "LAN"],
    ["::", "::1", "::1", "::2", "this machine"],
    ["fbff:ffff::1", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::", "LAN"],
    ["fe7f:ffff::1", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fec0::", "LAN"],
  ])("%s | %s - %s | %s", (below, first, last, above, where) => {
    expect([below, first, last, above].map((text) => place(text))).toEqual([
      "elsewhere",
      where,
      where,
      "elsewhere",
    ]);
  });

  test.each([
    ["203.0.113.0/25", "203.0.112.255", "203.0.113.0", "203.0.113.127", "203.0.113.128"],
    ["198.51.100.7/32", "198.51.100.6", "198.51.100.7", "198.51.100.7", "198.51.100.8"],
    ["2001:db8:7::/48", "2001:db8:6:ffff::1", "2001:db8:7::", "2001:db8:7:ffff::1", "2001:db8:8::"],
  ])("--ignore=%s", (network, below, first, last, above) => {
    const places = [below, first, last, above].map((text) => place(text, ["192.0.2.0/24", network]));
    expect(places).toEqual(["elsewhere", "LAN", "LAN", "elsewhere"]);
    expect(place(first)).toBe("elsewhere");
  });

  test("an IPv4 network says nothing of IPv6, not even 0.0.0.0/0", () => {
    expect([place("2001:db8::1", ["0.0.0.0/0"]), place("192.0.2.1", ["::/0"])]).toEqual([
      "elsewhere",
      "elsewhere",
    ]);
    expect([place("192.0.2.1", ["0.0.0.0/0"]), place("2001:db8::1", ["::/0"])]).toEqual(["LAN", "LAN"]);
  });
});

describe("spellings", () => {
  test.each([
    ["[127.0.0.1]", "this machine"],
    ["IPv6:::1", "this machine"],
    ["ipv6:::1", "this machine"],
    ["[IPv6:::1]", "this machine"],
    ["::ffff:127.0.0.1", "this machine"],
    ["IPv6:::ffff:127.9.9.9", "this machine"],
    ["::ffff:10.0.0.1", "LAN"],
    ["::ffff:a00:1", "LAN"],
    ["::FFFF:8.8.8.8", "elsewhere"],
    ["fe80::1%eth0", "LAN"],
    ["FE80::1", "LAN"],
    ["IPv6:2001:DB8::1", "elsewhere"],
    ["0:0:0:0:0:0:0:1", "this machine"],
    ["", "no address"],
    ["localhost", "no address"],
    ["1.2.3.256", "no address"],
    ["1.2.3.4.5", "no address"],
    ["IPv6:", "no address"],
    ["[]", "no address"],
    ["10.0.0.1 ", "no address"],
    ["10.0.0.1\0", "no address"],
    ["/run/socket", "no address"],
    ["192.168.0.0/16", "no address"],
    ["[IPv6:fe80:0000:0000:0000:0000:0000:169.254.169.254%fifteen-letters]", "LAN"],
    [`10.0.0.1%${"z".repeat(100)}`, "no address"],
  ])("%j: %s", (text, where) => {
    expect(place(text)).toBe(where);
  });
});
