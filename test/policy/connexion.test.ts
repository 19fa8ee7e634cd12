import { describe, expect, test } from "bun:test";
import { originOf } from "../../src/policy/connexion.ts";
import { parseNetworks } from "../../src/policy/networks.ts";

const HERE = ["inet", "127.0.0.1"] as const;
const LAN = ["inet", "192.168.1.1"] as const;
const OUTSIDE = ["inet", "192.0.2.1"] as const;

describe("where a client is", () => {
  test.each([
    [...HERE, "thisMachine"],
    ["inet6", "::1", "thisMachine"],
    ["inet6", "IPv6:::ffff:127.0.0.1", "thisMachine"],
    ["unix", "/run/x", "thisMachine"],
    ["unix", "192.0.2.1", "thisMachine"],
    ["unknown", "", "thisMachine"],
    [...LAN, "lan"],
    ["inet6", "fe80::1", "lan"],
    ["inet", "203.0.113.9", "lan"],
    [...OUTSIDE, "elsewhere"],
    ["inet6", "2001:db8::1", "elsewhere"],
    ["inet", "", "elsewhere"],
    ["inet", "localhost", "elsewhere"],
    ["inet6", "127.0.0.1 ", "elsewhere"],
  ])("%s %j: %s", (family, address, origin) => {
    expect(originOf(family, address, parseNetworks(["203.0.113.0/24"]))).toBe(origin as "lan");
  });
});
