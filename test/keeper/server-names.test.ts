import { expect, test } from "bun:test";
import { ServerNames } from "../../src/keeper/server-names.ts";

function names(answer: () => Promise<readonly string[]>) {
  const state = { now: 0, asked: 0 };
  const service = {
    addresses: () => {
      state.asked++;
      return answer();
    },
    now: () => state.now,
  };
  return { state, names: new ServerNames(service) };
}

test("a name is looked up once for all who ask at the same time, and again after some seconds", async () => {
  const { state, names: known } = names(async () => ["192.0.2.1", "192.0.2.2"]);
  const all = await Promise.all([known.addressesOf("a", 1000), known.addressesOf("a", 1000)]);
  expect(all).toEqual([
    ["192.0.2.1", "192.0.2.2"],
    ["192.0.2.1", "192.0.2.2"],
  ]);
  await known.addressesOf("a", 1000);
  expect(state.asked).toBe(1);
  state.now = 6000;
  await known.addressesOf("a", 1000);
  expect(state.asked).toBe(2);
});

test("the address that worked last comes first, as long as the name leads there", async () => {
  let answer = ["192.0.2.1", "192.0.2.2"];
  const { state, names: known } = names(async () => answer);
  await known.addressesOf("a", 1000);
  known.worked("a", "192.0.2.2");
  expect(await known.addressesOf("a", 1000)).toEqual(["192.0.2.2", "192.0.2.1"]);
  answer = ["192.0.2.3"];
  state.now = 6000;
  // The look-up goes on behind this one.
  await known.addressesOf("a", 1000);
  expect(await known.addressesOf("a", 1000)).toEqual(["192.0.2.3"]);
});

test("when the name service fails, what it said last goes on counting", async () => {
  let fails = false;
  const { state, names: known } = names(async () => {
    if (fails) throw new Error("EAI_AGAIN");
    return ["192.0.2.1"];
  });
  await known.addressesOf("a", 1000);
  fails = true;
  state.now = 100_000;
  expect(await known.addressesOf("a", 1000)).toEqual(["192.0.2.1"]);
  expect(known.addressesOf("b", 1000)).rejects.toThrow("EAI_AGAIN");
});

test("a name that was never known is waited for no longer than told", async () => {
  const { names: known } = names(() => new Promise(() => {}));
  expect(known.addressesOf("a", 20)).rejects.toThrow("the name server does not answer");
  const { names: empty } = names(async () => []);
  expect(empty.addressesOf("a", 20)).rejects.toThrow("no address");
});
