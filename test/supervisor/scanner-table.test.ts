import { expect, test } from "bun:test";
import type { ServerAddress } from "../../src/clamd/address.ts";
import { newRecord } from "../../src/clamd/server-state.ts";
import { ScannerTable } from "../../src/supervisor/scanner-table.ts";

function servers(...names: readonly string[]): ServerAddress[] {
  return names.map((name) => ({ kind: "unix", path: name, name }));
}

test("until anything is reported all servers are in use", () => {
  const table = new ScannerTable(servers("a", "b", "b"), () => 5);
  expect(table.health).toEqual([
    { name: "a", state: "up", passing: false },
    { name: "b", state: "up", passing: false },
  ]);
  expect(table.state).toMatchObject({ outageSince: null, servers: [{ since: 5 }, { since: 5 }] });
});

test("a report is kept for the next keeper; the children are told only what concerns them", () => {
  const table = new ScannerTable(servers("a"), () => 0);
  const proven = { ...newRecord("a", 3), proven: true };
  expect(table.take({ servers: [proven], outageSince: null })).toBe(false);
  expect(table.state.servers).toEqual([proven]);
  const blind = { ...proven, state: "blind" as const };
  expect(table.take({ servers: [blind], outageSince: 9 })).toBe(true);
  expect(table.state).toEqual({ servers: [blind], outageSince: 9 });
  expect(table.health).toEqual([{ name: "a", state: "blind", passing: false }]);
});

test("what is said of servers that are not in the settings is not kept, and those that stay are known on", () => {
  const table = new ScannerTable(servers("a", "b"), () => 0);
  const down = { ...newRecord("b", 3), state: "down" as const };
  table.take({ servers: [newRecord("x", 0), down], outageSince: null });
  table.renew(servers("b", "c"));
  expect(table.health.map(({ name, state }) => [name, state])).toEqual([
    ["b", "down"],
    ["c", "up"],
  ]);
});
