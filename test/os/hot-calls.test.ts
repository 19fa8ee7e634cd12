import { afterAll, expect, test } from "bun:test";
import { fstatSync, readSync, writeSync } from "node:fs";
import {
  descriptorSocketPair,
  receiveDescriptors,
  sendDescriptors,
  sendWithDescriptor,
} from "../../src/os/descriptor-passing.ts";
import { Epoll } from "../../src/os/epoll.ts";
import { closeDescriptor, socketPair } from "../../src/os/libc.ts";
import { isSealed, sealedFile } from "../../src/os/memory-file.ts";
import { Receiver } from "../../src/os/stream-calls.ts";

/** Enough for the last tier of the compiler: what it makes of a read may move the memory that is read. */
const ROUNDS = 15_000;
const open: number[] = [];

afterAll(() => {
  for (const fd of open) closeDescriptor(fd);
});

test("descriptors are passed under their numbers, also when the calls are hot", () => {
  const [ours, theirs] = descriptorSocketPair();
  const files = Array.from({ length: 16 }, (_, at) => sealedFile([Buffer.from(`file ${at}`)]));
  open.push(ours, theirs, ...files);
  const inodes = files.map((fd) => fstatSync(fd).ino);
  let wrong = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const at = (round * 7919) % files.length;
    sendDescriptors(ours, round, files.slice(at, at + 1));
    const { number, descriptors } = receiveDescriptors(theirs);
    const [fd = -1] = descriptors;
    if (number !== round || descriptors.length !== 1 || fstatSync(fd).ino !== inodes[at]) wrong++;
    for (const each of descriptors) closeDescriptor(each);
  }
  expect(wrong).toBe(0);
});

test("what a scanner is passed is this message and no other, also when the calls are hot", () => {
  const [ours, theirs] = socketPair();
  open.push(ours, theirs);
  const receiver = new Receiver(4096);
  const into = Buffer.alloc(64);
  let wrong = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const command = `zFILDES ${round}\0`;
    const message = sealedFile([Buffer.from(`message ${round}`), Buffer.from(" and its end")]);
    sendWithDescriptor(ours, Buffer.from(command), message);
    closeDescriptor(message);
    const received = receiver.receive(theirs);
    const [fd = -1] = received?.descriptors ?? [];
    const said = Buffer.from(received?.bytes ?? []).toString("latin1");
    const read = fd < 0 ? "" : into.toString("latin1", 0, readSync(fd, into, 0, into.length, 0));
    if (said !== command || read !== `message ${round} and its end` || !isSealed(fd)) wrong++;
    closeDescriptor(fd);
  }
  expect(wrong).toBe(0);
});

test("what comes without a descriptor brings none, also after thousands that had one", () => {
  const [ours, theirs] = socketPair();
  const file = sealedFile([Buffer.from("a message")]);
  const epoll = new Epoll();
  epoll.add(theirs);
  open.push(ours, theirs, file);
  const receiver = new Receiver(4096);
  const plain = Buffer.alloc(2400, "x");
  let wrong = 0;
  const round = (passing: boolean): void => {
    if (passing) sendWithDescriptor(ours, plain, file);
    else writeSync(ours, plain);
    for (const fd of epoll.wait(1000)) {
      const descriptors = receiver.receive(fd)?.descriptors ?? [];
      if (descriptors.length !== (passing ? 1 : 0)) wrong++;
      // Of those that are not there one would close others' files.
      if (wrong === 0) for (const each of descriptors) closeDescriptor(each);
    }
  };
  for (let at = 0; at < 3000; at++) round(true);
  for (let at = 0; at < 30_000; at++) round(false);
  expect(wrong).toBe(0);
});
