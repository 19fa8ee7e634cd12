import { expect, test } from "bun:test";
import { Lane } from "../../src/scan/lane.ts";

const never = new Promise<void>(() => {});

test("one at a time, in the order in which they came", async () => {
  const lane = new Lane();
  const order: string[] = [];
  const pass = async (name: string): Promise<void> => {
    const leave = await lane.enter(10_000, never);
    order.push(`${name} in`);
    await Bun.sleep(0);
    order.push(`${name} out`);
    leave?.();
  };
  await Promise.all(["a", "b", "c"].map(pass));
  expect(order).toEqual(["a in", "a out", "b in", "b out", "c in", "c out"]);
});

test("who has no time, or is given up, does not wait for who is in front; those behind still do", async () => {
  const lane = new Lane();
  const leave = await lane.enter(10_000, never);
  const { promise, resolve } = Promise.withResolvers<void>();
  const late = lane.enter(5, never);
  const givenUp = lane.enter(10_000, promise);
  let passed = false;
  const behind = lane.enter(10_000, never).then((out) => {
    passed = true;
    return out;
  });
  expect(await late).toBeNull();
  resolve();
  expect(await givenUp).toBeNull();
  expect(passed).toBe(false);
  leave?.();
  expect(await behind).toBeFunction();
});
