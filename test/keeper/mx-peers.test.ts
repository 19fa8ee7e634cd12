import { afterEach, describe, expect, test } from "bun:test";
import { MxPeers, type MxService } from "../../src/keeper/mx-peers.ts";

let peers: MxPeers | null = null;

afterEach(() => peers?.stop());

function failing(code: string): Promise<never> {
  return Promise.reject(Object.assign(new Error(`query ${code}`), { code }));
}

function looking(
  service: Partial<MxService>,
  patience = 1000,
  domains = ["host.lab.example", "lab.example"],
) {
  const log: string[] = [];
  const told: (readonly string[])[] = [];
  const whole: MxService = {
    exchanges: () => failing("ENOTFOUND"),
    addresses4: () => failing("ENODATA"),
    addresses6: () => failing("ENODATA"),
    isAddress: (text) => /^[0-9a-f.:]+$/.test(text) && /[.:]/.test(text),
    ...service,
  };
  peers = new MxPeers(
    domains,
    whole,
    (level, text) => void log.push(`${level}: ${text}`),
    (addresses) => void told.push(addresses),
    patience,
  );
  return { peers, log, told };
}

describe("MX peers", () => {
  test("are the A and AAAA of all exchanges, and addresses that stand for one", async () => {
    const { peers, told, log } = looking({
      exchanges: async (domain) =>
        domain === "lab.example" ? ["mx.example", "192.0.2.9", ""] : failing("ENODATA"),
      addresses4: async () => ["192.0.2.1"],
      addresses6: async () => ["2001:db8::1"],
    });
    await peers.look();
    expect(told.map((list) => [...list].sort())).toEqual([["192.0.2.1", "192.0.2.9", "2001:db8::1"]]);
    expect(log).toEqual([]);
  });

  test("that there are none is no failure", async () => {
    const { peers, told, log } = looking({});
    await peers.look();
    expect([told, log]).toEqual([[[]], []]);
  });

  test("a failure is logged, the known ones stay, and what was found counts", async () => {
    let round = 0;
    const { peers, told, log } = looking({
      exchanges: (domain) => {
        if (domain !== "lab.example") return Promise.resolve(["192.0.2.1"]);
        return ++round === 1 ? Promise.resolve(["192.0.2.2"]) : failing("ETIMEOUT");
      },
    });
    await peers.look();
    await peers.look();
    await peers.look();
    expect(told.map((list) => [...list].sort())).toEqual(
      Array(3).fill(["192.0.2.1", "192.0.2.2"]) as string[][],
    );
    const text =
      "warning: MX peers of host.lab.example, lab.example: query ETIMEOUT; the known ones count, looked up again in";
    expect(log).toEqual([`${text} 60 s`, `${text} 120 s`]);
  });

  test("who does not answer is given up", async () => {
    const { peers, log, told } = looking({ exchanges: () => new Promise(() => {}) }, 30);
    const begun = performance.now();
    await peers.look();
    expect(performance.now() - begun).toBeLessThan(1000);
    expect([log.length, log[0]?.includes("no answer within 0.03 s"), told]).toEqual([1, true, [[]]]);
  });

  test("a resolver that lies cannot fill the memory", async () => {
    const { peers, told } = looking({
      exchanges: async () => Array.from({ length: 5000 }, (_, at) => `mx${at}.example`),
      addresses4: async (name) => Array.from({ length: 500 }, (_, at) => `10.0.${name.length}.${at}`),
      addresses6: async () => ["not an address", "::1"],
    });
    await peers.look();
    expect(told[0]?.length).toBeLessThanOrEqual(500);
    expect(told[0]).not.toContain("not an address");
  });
});
