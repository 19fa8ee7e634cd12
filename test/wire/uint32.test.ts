import { expect, test } from "bun:test";
import { readUint32, writeUint32 } from "../../src/wire/uint32.ts";

test.each([
  [0, [0, 0, 0, 0]],
  [1, [0, 0, 0, 1]],
  [0x01020304, [1, 2, 3, 4]],
  [0x7fffffff, [127, 255, 255, 255]],
  [0x80000000, [128, 0, 0, 0]],
  [0xffffffff, [255, 255, 255, 255]],
])("%d is %j", (value, bytes) => {
  const written = new Uint8Array(6).fill(9);
  writeUint32(written, 1, value);
  expect([...written]).toEqual([9, ...bytes, 9]);
  expect(readUint32(written, 1)).toBe(value);
});

test("bytes that are not there are zero", () => {
  expect(readUint32(Uint8Array.of(255, 1), 0)).toBe(0xff010000);
  expect(readUint32(Uint8Array.of(1, 2), 7)).toBe(0);
});
