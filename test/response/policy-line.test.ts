import { expect, test } from "bun:test";
import { refuse, shown } from "../../src/policy/decision.ts";
import { type PolicyRecord, policyFields, policyLine } from "../../src/response/policy-line.ts";

const RECORD: PolicyRecord = {
  queueId: "Q1",
  outcome: "rejected",
  rule: "blacklist",
  reason: "Rejected email from blacklisted IP 192.0.2.1",
  sender: "<a@b>",
  clientHost: "mx.example",
  clientAddress: "192.0.2.1",
};

test.each<[Partial<PolicyRecord>, string]>([
  [{}, "Q1: Rejected email from blacklisted IP 192.0.2.1 from=<a@b> client=mx.example[192.0.2.1]"],
  [
    { outcome: "not scanned", reason: "authenticated as bob, see --skip-authenticated" },
    'Q1: not scanned reason="authenticated as bob, see --skip-authenticated" from=<a@b> client=mx.example[192.0.2.1]',
  ],
  [
    { outcome: "not scanned", sender: null, reason: "from the LAN, and --local is not given" },
    "not scanned: client=mx.example[192.0.2.1]: from the LAN, and --local is not given",
  ],
])("%j", (changes, line) => {
  expect(policyLine({ ...RECORD, ...changes })).toBe(line);
});

test("the same in parts", () => {
  expect(policyFields(RECORD)).toEqual({
    event: "message",
    queueId: "Q1",
    outcome: "rejected",
    rule: "blacklist",
    reason: "Rejected email from blacklisted IP 192.0.2.1",
    from: "<a@b>",
    client: { host: "mx.example", address: "192.0.2.1" },
  });
  expect(policyFields({ ...RECORD, sender: null })).toMatchObject({ event: "connexion" });
});

test("what comes from outside makes no second line, and can be taken for no word of ours", () => {
  const hostile = `<x' from=<me> client=ok[1]\r\n\x1b[2J"\u00ff${"y".repeat(4000)}@z>`;
  const decision = refuse("suspicious recipient", { code: 554, text: "" }, `blocked: '${shown(hostile)}'`);
  if (decision.kind !== "refuse") throw new Error("no refusal");
  const line = policyLine({ ...RECORD, reason: decision.reason, sender: hostile, clientHost: hostile });
  expect(line).not.toMatch(/[\0-\x1f\x7f-\x9f]/);
  expect(line.match(/ from=/g)).toHaveLength(1);
  expect(line.match(/ client=/g)).toHaveLength(1);
  expect(line.length).toBeLessThan(3000);
});
