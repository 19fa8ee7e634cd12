import { expect, test } from "bun:test";
import type { ServerAddress } from "../../src/clamd/address.ts";
import { KnownServers } from "../../src/keeper/known-servers.ts";

function servers(...names: readonly string[]): ServerAddress[] {
  return names.map((name) => ({ kind: "unix", path: name, name }));
}

test("servers of the settings before are known on for an hour, others are not", () => {
  let now = 0;
  const known = new KnownServers(servers("a", "b"), () => now);
  now = 1000;
  known.learn(servers("b", "c"));
  const names = (): (string | undefined)[] =>
    ["a", "b", "c", "/etc/shadow"].map((each) => known.find(each)?.name);
  expect(names()).toEqual(["a", "b", "c", undefined]);
  now += 3_600_000;
  expect(names()).toEqual([undefined, "b", "c", undefined]);
});

test("one whose address has changed is found at the new one", () => {
  const known = new KnownServers([{ kind: "tcp", host: "x", port: 1, name: "x" }], () => 0);
  known.learn([{ kind: "tcp", host: "x", port: 2, name: "x" }]);
  expect(known.find("x")).toMatchObject({ port: 2 });
});

test("however often the settings change, what is remembered has a bound", () => {
  const known = new KnownServers([], () => 0);
  for (let at = 0; at < 3000; at++) known.learn(servers(`s${at}`));
  const found = Array.from({ length: 3000 }, (_, at) => known.find(`s${at}`)).filter((each) => each !== null);
  expect(found.length).toBeLessThanOrEqual(1001);
  expect(known.find("s2998")).not.toBeNull();
});
