import { expect, test } from "bun:test";
import { newRecord } from "../../src/clamd/server-state.ts";
import { checkScannerReport } from "../../src/ipc/scanner-messages.ts";

const record = newRecord("unix:/run/clamd.sock", 12.5);
const report = { type: "scanners", state: { servers: [record], outageSince: null } };

test("a report is taken as it is", () => {
  expect(checkScannerReport(report)).toEqual(report as never);
  const out = { type: "scanners", state: { servers: [], outageSince: 7 } };
  expect(checkScannerReport(out)).toEqual(out as never);
});

const broken = (change: object): object => ({
  type: "scanners",
  state: { servers: [{ ...record, ...change }], outageSince: null },
});

test.each([
  ["no state", { type: "scanners" }],
  ["a list as its state", { type: "scanners", state: [] }],
  ["another type", { ...report, type: "slots" }],
  ["servers that are no list", { type: "scanners", state: { servers: {}, outageSince: null } }],
  ["an outage that is no time", { type: "scanners", state: { servers: [], outageSince: "now" } }],
  ["an unknown state", broken({ state: "well" })],
  ["a name too long", broken({ name: "x".repeat(301) })],
  ["a name that is none", broken({ name: 1 })],
  ["a flag that is none", broken({ passing: "yes" })],
  ["a moment before all time", broken({ since: -1 })],
  ["a number of failures that is none", broken({ failures: null })],
  ["too many servers", { type: "scanners", state: { servers: Array(5000).fill(record), outageSince: null } }],
])("one with %s is none", (_what, message) => {
  expect(checkScannerReport(message)).toBeNull();
});
