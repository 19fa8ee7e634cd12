import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { judge } from "./policy-mta.ts";

/** One beside, first, last, one beside; and what the two in the middle are. */
const V4 = [
  ["126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"],
  ["9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"],
  ["172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"],
  ["192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"],
  ["169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"],
  ["203.0.112.255", "203.0.113.0", "203.0.113.127", "203.0.113.128"],
  ["198.51.100.6", "198.51.100.7", "198.51.100.7", "198.51.100.8"],
  ["192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"],
];
const LAST = "ffff:ffff:ffff:ffff:ffff:ffff:ffff";
const V6 = [
  ["::", "::1", "::1", "::2"],
  [`fbff:${LAST}`, "fc00::", `fdff:${LAST}`, "fe00::"],
  [`fe7f:${LAST}`, "fe80::", `febf:${LAST}`, "fec0::"],
  [
    "2001:db8:6:ffff:ffff:ffff:ffff:ffff",
    "2001:db8:7::",
    "2001:db8:7:ffff:ffff:ffff:ffff:ffff",
    "2001:db8:8::",
  ],
];
/** The last is 192.0.2.0/24 in its mapped form. */
const IGNORED = ["203.0.113.5/25", "198.51.100.7", "2001:db8:7::/48", "::ffff:192.0.2.0/120"];

let folder: LabFolder;
let clamd: Clamd;
let filter: Filter;

beforeAll(async () => {
  folder = plainFolder();
  clamd = await startClamd({ folder: folder.path });
  filter = await startFilter({
    conf: clamd.confPath,
    sockets: [`unix:${join(folder.path, "milter.sock")}`],
    options: ["-q", ...IGNORED.flatMap((net) => ["-I", net])],
  });
});

afterAll(async () => {
  await filter.stop();
  await clamd.stop();
  folder.remove();
});

/** Whether mail from there is scanned, or let through at connect. */
async function isScanned(family: "inet" | "inet6", address: string): Promise<boolean> {
  const { stage, answer } = await judge({ unix: join(folder.path, "milter.sock") }, { family, address });
  expect([stage, answer].join()).toBeOneOf(["connect,accept", "endOfBody,scanned"]);
  return answer === "scanned";
}

describe("the borders of every network, as the MTA may write them", () => {
  const forms: readonly [string, "inet" | "inet6", readonly (readonly string[])[]][] = [
    ["IPv4", "inet", V4],
    ["mapped", "inet6", V4.map((row) => row.map((address) => `::ffff:${address}`))],
    [
      "mapped, as Postfix writes it",
      "inet6",
      V4.map((row) => row.map((address) => `IPv6:::ffff:${address}`)),
    ],
    ["IPv6", "inet6", V6],
    ["IPv6, as sendmail writes it", "inet6", V6.map((row) => row.map((address) => `IPv6:${address}`))],
    ["IPv6 in capitals", "inet6", V6.map((row) => row.map((address) => address.toUpperCase()))],
  ];
  test.each(forms)("%s", async (_form, family, rows) => {
    for (const row of rows) {
      const scanned = await Promise.all(row.map((address) => isScanned(family, address)));
      expect([row, scanned]).toEqual([row, [true, false, false, true]]);
    }
  });
});

test("what is no address is neither from here nor from the LAN", async () => {
  for (const address of [
    "",
    "localhost",
    "127.0.0.1 ",
    "127.1",
    "0x7f.0.0.1",
    "10.0.0.1\n",
    "::ffff:7f00:1:1:1",
  ]) {
    expect([address, await isScanned("inet", address)]).toEqual([address, true]);
  }
});
