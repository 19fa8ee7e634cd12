import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { PolicyTables } from "../../src/child/policy-tables.ts";
import { MAX_MESSAGE } from "../../src/ipc/channel.ts";
import type { BlacklistToChild } from "../../src/ipc/policy-messages.ts";
import { MOST_LISTED } from "../../src/policy/blacklist.ts";
import { Blacklisting } from "../../src/supervisor/blacklisting.ts";

const clock = { now: 1000 };
const now = (): number => clock.now;

function blacklisting(plan: { exempt?: readonly string[]; ignoreNets?: readonly string[] } = {}) {
  const log: string[] = [];
  const { exempt = [], ignoreNets = [] } = plan;
  const list = new Blacklisting(
    { time: 60_000, exempt, ignoreNets },
    (level, text) => void log.push(`${level}: ${text}`),
    now,
  );
  const offend = (address: string): void =>
    list.onMessage({ send() {} }, { type: "offender", address, because: "X" });
  return { list, log, offend };
}

/** A child that takes what it is sent as it would come over a channel, and asks for more. */
function child(list: Blacklisting) {
  const tables = new PolicyTables(now);
  const sizes: number[] = [];
  const reader = {
    send(message: BlacklistToChild) {
      const text = JSON.stringify(message);
      sizes.push(text.length);
      const more = tables.takeBlacklist(JSON.parse(text) as BlacklistToChild);
      if (more) queueMicrotask(() => list.onMessage(reader, { type: "blacklistNext" }));
    },
  };
  return { tables, sizes, reader, came: tables.came({ whitelistFile: null, blacklistTime: 60 }) };
}

describe("the blacklist of the program", () => {
  test("what one child reports every child knows, and one that comes later", async () => {
    const { list, log, offend } = blacklisting();
    const first = child(list);
    list.join(first.reader);
    await first.came;
    offend("::ffff:192.0.2.1");
    offend("2001:DB8:0::1");
    const second = child(list);
    list.join(second.reader);
    await second.came;
    for (const { tables } of [first, second]) {
      expect(
        ["192.0.2.1", "2001:db8::1", "192.0.2.2"].map((address) => tables.isBlacklisted(address)),
      ).toEqual([true, true, false]);
    }
    expect(log).toEqual([
      "info: Will blacklist 192.0.2.1 for 60 seconds because of X",
      "info: Will blacklist 2001:db8::1 for 60 seconds because of X",
    ]);
    clock.now += 60_000;
    expect(second.tables.isBlacklisted("192.0.2.1")).toBe(false);
  });

  test("nobody who is exempt can be listed, whatever a child says", () => {
    const { list, log, offend } = blacklisting({
      exempt: ["192.0.2.5", "2001:DB8::5"],
      ignoreNets: ["100.64.0.0/10"],
    });
    list.setPeers(["192.0.2.25", "2001:db8::25", "nonsense"]);
    const exempt = [
      "192.0.2.5",
      "2001:db8:0::5",
      "::ffff:192.0.2.25",
      "2001:db8::25",
      "100.64.0.1",
      "10.0.0.1",
      "fe80::1",
    ];
    for (const address of [...exempt, "127.0.0.1", "::1", "nonsense", "192.0.2.300"]) offend(address);
    expect(list.size).toBe(0);
    expect(log).toEqual([
      "info: Won't blacklist 192.0.2.5",
      "info: Won't blacklist 2001:db8::5",
      "info: Won't blacklist 192.0.2.25",
      "info: Won't blacklist 2001:db8::25",
    ]);
  });

  test("who turns out to be a peer is let go everywhere; one that was a peer can be listed", async () => {
    const { list, log, offend } = blacklisting();
    const { tables, reader, came } = child(list);
    list.join(reader);
    await came;
    offend("192.0.2.25");
    expect(tables.isBlacklisted("192.0.2.25")).toBe(true);
    list.setPeers(["192.0.2.25"]);
    list.setPeers(["192.0.2.25"]);
    expect([tables.isBlacklisted("192.0.2.25"), list.size]).toEqual([false, 0]);
    expect(log.filter((line) => line.includes("Won't"))).toHaveLength(1);
    list.setPeers([]);
    offend("192.0.2.25");
    expect(tables.isBlacklisted("192.0.2.25")).toBe(true);
  });

  test("a child that is gone is told nothing", () => {
    const { list, offend } = blacklisting();
    const { sizes, reader } = child(list);
    list.join(reader);
    list.leave(reader);
    const before = sizes.length;
    offend("192.0.2.1");
    list.onMessage(reader, { type: "blacklistNext" });
    expect(sizes.length).toBe(before);
  });

  test("news during the hand-over are neither lost nor taken for its end", async () => {
    const { list, offend } = blacklisting();
    for (let at = 0; at < 5000; at++) offend(`198.18.${at >> 8}.${at & 255}`);
    const { tables, reader, came } = child(list);
    let done = false;
    void came.then(() => {
      done = true;
    });
    list.join(reader);
    offend("192.0.2.77");
    await Promise.resolve();
    expect(done).toBe(false);
    await came;
    expect(
      ["198.18.0.0", "198.18.19.135", "192.0.2.77"].every((address) => tables.isBlacklisted(address)),
    ).toBe(true);
  });
});

test("200,000 entries are handed over in portions that the channel takes", async () => {
  const { list, offend } = blacklisting();
  for (let at = 0; at < MOST_LISTED + 50; at++)
    offend(`2001:db8:ffff:ffff:ffff:ffff:${(at >> 8).toString(16)}:${at & 255}`);
  expect(list.size).toBe(MOST_LISTED);
  Bun.gc(true);
  const before = heapStats().heapSize;
  const begun = performance.now();
  const { tables, sizes, reader, came } = child(list);
  list.join(reader);
  await came;
  const milliseconds = performance.now() - begun;
  Bun.gc(true);
  const megabytes = (heapStats().heapSize - before) / 1e6;
  console.log(
    `hand-over: ${sizes.length} messages of ${Math.max(...sizes)} bytes at most, ${Math.round(milliseconds)} ms, ${Math.round(megabytes)} MB in the child`,
  );
  expect(Math.max(...sizes)).toBeLessThan(MAX_MESSAGE);
  expect(tables.isBlacklisted("2001:db8:ffff:ffff:ffff:ffff:30d:79")).toBe(true);
  expect(tables.isBlacklisted("2001:db8:ffff:ffff:ffff:ffff:0:5")).toBe(false);
}, 60_000);
