import { expect, test } from "bun:test";
import { roleEnvironment } from "../../src/supervisor/role-environment.ts";

const CALLER = {
  TZ: "Europe/Vienna",
  LD_LIBRARY_PATH: "/opt/clamav/lib",
  HOME: "/root",
  BUN_OPTIONS: "--smol",
};
const OWN = ["PATH", "LANG", "BUN_JSC_useFTLJIT", "MIMALLOC_PURGE_HOLES_MIN_INTERVAL"];

test.each([
  ["supervisor", ["LD_LIBRARY_PATH"]],
  ["engine", ["LD_LIBRARY_PATH"]],
  ["keeper", []],
  ["child", ["BUN_JSC_forceRAMSize", "MIMALLOC_PURGE_DELAY"]],
] as const)("of the %s: its own, the time zone, and %p", (role, more) => {
  const names = Object.keys(roleEnvironment(role, CALLER));
  expect(names.toSorted()).toEqual([...OWN, "TZ", ...more].toSorted());
  expect(Object.keys(roleEnvironment(role, {})).toSorted()).toEqual(
    names.filter((name) => !(name in CALLER)).toSorted(),
  );
});
