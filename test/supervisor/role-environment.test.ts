import { expect, test } from "bun:test";
import { foregroundEnvironment, roleEnvironment } from "../../src/supervisor/role-environment.ts";

const CALLER = {
  TZ: "Europe/Vienna",
  LD_LIBRARY_PATH: "/opt/clamav/lib",
  HOME: "/root",
  BUN_OPTIONS: "--smol",
};
const OWN = ["PATH", "LANG", "BUN_JSC_useFTLJIT", "MIMALLOC_PURGE_HOLES_MIN_INTERVAL"];

test.each([
  ["supervisor", ["LD_LIBRARY_PATH", "BUN_JSC_useDFGJIT"]],
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

test("of a supervisor in the foreground: the caller's, and what the runtime is to know; once is enough", () => {
  const caller = {
    ...CALLER,
    NOTIFY_SOCKET: "/run/systemd/notify",
    BUN_JSC_useFTLJIT: "1",
    UNSET: undefined,
  };
  const environment = foregroundEnvironment(caller);
  expect(environment).toEqual({
    ...CALLER,
    NOTIFY_SOCKET: "/run/systemd/notify",
    BUN_JSC_useFTLJIT: "0",
    BUN_JSC_useDFGJIT: "0",
    MIMALLOC_PURGE_HOLES_MIN_INTERVAL: "10000",
  });
  expect(foregroundEnvironment(environment ?? {})).toBeNull();
});
