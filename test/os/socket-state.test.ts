import { expect, test } from "bun:test";
import { readSync, writeSync } from "node:fs";
import { closeDescriptor, socketPair } from "../../src/os/libc.ts";
import { isClosedByPeer } from "../../src/os/socket-state.ts";

test("a socket is closed by its peer when there is nothing left to read, and looking takes nothing away", () => {
  const [ours, theirs] = socketPair();
  expect(isClosedByPeer(ours)).toBe(false);
  writeSync(theirs, "x");
  closeDescriptor(theirs);
  expect(isClosedByPeer(ours)).toBe(false);
  expect(readSync(ours, new Uint8Array(2))).toBe(1);
  expect(isClosedByPeer(ours)).toBe(true);
  closeDescriptor(ours);
});
