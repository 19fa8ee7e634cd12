import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { YAML } from "bun";
import { checkSpf, type DnsResolver } from "../../src/spf/evaluate.ts";

/**
 * The public test suite of RFC 7208 (rfc7208-tests.yml; its authors and licence stand in rfc7208-tests.LICENSE), served
 * by a DNS stand-in.
 */
interface Case {
  readonly helo: string;
  readonly host: string;
  readonly mailfrom: string;
  readonly result: string | readonly string[];
}

type Rdata = string | readonly [number, string] | readonly string[];
type Entry = "TIMEOUT" | Readonly<Record<string, Rdata>>;

interface Scenario {
  readonly description: string;
  readonly tests: Readonly<Record<string, Case>>;
  readonly zonedata: Readonly<Record<string, readonly Entry[]>>;
}

const text = readFileSync(join(import.meta.dir, "rfc7208-tests.yml"), "utf8");
const SCENARIOS = text
  .split(/^---$/m)
  .slice(1)
  .map((part) => YAML.parse(part) as Scenario);

function dnsError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** One character a byte is what a TXT record has; the suite's texts are that already. */
function txtPieces(value: Rdata): string[] {
  return typeof value === "string" ? [value] : value.map(String);
}

/** A resolver over the suite's zone: its records of type SPF stand for TXT where there are no TXT ones. */
function standIn(zone: Scenario["zonedata"]): DnsResolver {
  const names = new Map(Object.entries(zone).map(([name, entries]) => [name.toLowerCase(), entries]));
  const find = (name: string, type: string, hops: number): readonly unknown[] => {
    const entries = names.get(name.toLowerCase().replace(/\.$/, ""));
    if (entries === undefined) throw dnsError("ENOTFOUND");
    const records = entries.flatMap((entry) => (typeof entry === "string" ? [] : Object.entries(entry)));
    const alias = records.find(([kind]) => kind === "CNAME");
    if (alias !== undefined && hops < 8) return find(String(alias[1]), type, hops + 1);
    const own = records.filter(([kind]) => kind === type);
    const found = type === "TXT" && own.length === 0 ? records.filter(([kind]) => kind === "SPF") : own;
    const values = found.filter(([, value]) => value !== "NONE").map(([, value]) => value);
    if (values.length === 0 || (type === "TXT" && own.some(([, value]) => value === "NONE"))) {
      throw dnsError(entries.includes("TIMEOUT") ? "ETIMEOUT" : "ENODATA");
    }
    if (type === "TXT") return values.map(txtPieces);
    if (type === "MX") return values.map((value) => ({ priority: Number(value[0]), exchange: value[1] }));
    return values;
  };
  return async (name, type) => find(name, type, 0);
}

for (const { description, tests, zonedata } of SCENARIOS) {
  describe(description, () => {
    const resolver = standIn(zonedata);
    for (const [name, { helo, host, mailfrom, result }] of Object.entries(tests)) {
      test(name, async () => {
        const sender = mailfrom === "" ? `postmaster@${helo}` : mailfrom;
        const seen = await checkSpf({ address: host, sender, helo }, resolver);
        expect([result].flat()).toContain(seen);
      });
    }
  });
}

test("a resolver that fails in an unknown way is a temperror", async () => {
  const seen = await checkSpf({ address: "192.0.2.1", sender: "a@example.org", helo: "h.example" }, () => {
    throw new TypeError("broken");
  });
  expect(seen).toBe("temperror");
});
