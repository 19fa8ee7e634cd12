import { ptr } from "bun:ffi";
import { expect, test } from "bun:test";
import { fixedMemory } from "../../src/os/fixed-memory.ts";

test("memory of any size stays where it is, whatever is done with it", () => {
  for (const size of [1, 4, 12, 56, 768, 1000, 1001, 65_536]) {
    const memory = fixedMemory(size);
    const address = ptr(memory);
    memory.fill(1);
    memory.subarray(0, 1).toString("latin1");
    expect(memory.buffer.byteLength).toBe(size);
    expect(ptr(memory)).toBe(address);
  }
});

test("it is filled with zeros, and no part of a larger piece", () => {
  const memory = fixedMemory(64);
  expect(memory.every((byte) => byte === 0)).toBe(true);
  expect(memory.byteOffset).toBe(0);
});
