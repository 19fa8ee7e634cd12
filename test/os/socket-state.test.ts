import { expect, test } from "bun:test";
import { readSync, writeSync } from "node:fs";
import { join } from "node:path";
import {
  AF_UNIX,
  bindSocket,
  closeDescriptor,
  connectSocket,
  listenSocket,
  socketPair,
  streamSocket,
} from "../../src/os/libc.ts";
import { unixAddress } from "../../src/os/sockaddr.ts";
import { hasWaiting, isClosedByPeer, isUnixSocket } from "../../src/os/socket-state.ts";
import { plainFolder } from "../lab/folder.ts";

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

test("a unix socket is told from any other, and from what is no socket", () => {
  const AF_INET = 2;
  const [unix, other] = socketPair();
  const tcp = streamSocket(AF_INET, false);
  try {
    expect([unix, tcp, -1].map(isUnixSocket)).toEqual([true, false, false]);
  } finally {
    for (const fd of [unix, other, tcp]) closeDescriptor(fd);
  }
});

test("whether a connexion waits to be accepted is seen, and seen again", () => {
  const folder = plainFolder();
  const address = unixAddress(join(folder.path, "s"));
  const [listener, client] = [streamSocket(AF_UNIX, true), streamSocket(AF_UNIX, false)];
  try {
    bindSocket(listener, address);
    listenSocket(listener, 5);
    expect(hasWaiting(listener)).toBe(false);
    connectSocket(client, address);
    expect([hasWaiting(listener), hasWaiting(listener)]).toEqual([true, true]);
  } finally {
    for (const fd of [listener, client]) closeDescriptor(fd);
    folder.remove();
  }
});
