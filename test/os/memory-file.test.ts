import { expect, test } from "bun:test";
import { closeSync, fstatSync, ftruncateSync, readFileSync, writeSync } from "node:fs";
import { isSealed, sealedFile } from "../../src/os/memory-file.ts";

test("a sealed file has the bytes, and nobody can change or cut it", () => {
  const fd = sealedFile([Buffer.from("one,"), Buffer.alloc(0), Buffer.from("two")]);
  expect(readFileSync(`/proc/self/fd/${fd}`, "latin1")).toBe("one,two");
  expect([fstatSync(fd).isFile(), isSealed(fd)]).toEqual([true, true]);
  expect(() => writeSync(fd, "x")).toThrow("EPERM");
  expect(() => ftruncateSync(fd, 0)).toThrow("EPERM");
  closeSync(fd);
  expect(isSealed(fd)).toBe(false);
});

test("many long pieces are whole and in order", () => {
  const pieces = Array.from({ length: 1500 }, (_, at) => Buffer.alloc(1000 + at, String(at)));
  const fd = sealedFile(pieces);
  expect(readFileSync(`/proc/self/fd/${fd}`).equals(Buffer.concat(pieces))).toBe(true);
  closeSync(fd);
});

test("what cannot be read leaves no descriptor behind", () => {
  const parts = function* (): Generator<Uint8Array> {
    yield Buffer.from("half");
    throw new Error("the disk is gone");
  };
  const before = sealedFile([]);
  closeSync(before);
  expect(() => sealedFile(parts())).toThrow("the disk is gone");
  const after = sealedFile([]);
  closeSync(after);
  expect(after).toBe(before);
});
