import { expect, test } from "bun:test";
import { closeSync, fstatSync, openSync, readFileSync, writeSync } from "node:fs";
import { sendDescriptors } from "../../src/os/descriptor-passing.ts";
import { Epoll } from "../../src/os/epoll.ts";
import {
  AF_UNIX,
  bindSocket,
  closeDescriptor,
  connectSocket,
  listenSocket,
  socketPair,
  streamSocket,
} from "../../src/os/libc.ts";
import { memoryStream } from "../../src/os/memory-stream.ts";
import { NumberReader, numberPipe, putNumber } from "../../src/os/pipes.ts";
import { unixAddress } from "../../src/os/sockaddr.ts";
import { capturingStandardError } from "../../src/os/standard-error-capture.ts";
import { acceptConnexion, endConnexion, peerUser, Receiver, sendAnswer } from "../../src/os/stream-calls.ts";

test("a connexion in the abstract namespace: accepted, known by its user, answered, ended", () => {
  const address = unixAddress(`\0engine-calls-${process.pid}`);
  const listener = streamSocket(AF_UNIX, true);
  bindSocket(listener, address);
  listenSocket(listener, 5);
  expect(acceptConnexion(listener)).toBeNull();
  const client = streamSocket(AF_UNIX, true);
  connectSocket(client, address);
  const epoll = new Epoll();
  epoll.add(listener);
  expect(epoll.wait(1000)).toEqual([listener]);
  const server = acceptConnexion(listener) ?? -1;
  expect(peerUser(server)).toBe(process.getuid?.() ?? -1);
  const receiver = new Receiver(16);
  expect(receiver.receive(server)).toBeNull();
  expect(sendAnswer(server, Buffer.from("hello"))).toBe(true);
  expect(Buffer.from(receiver.receive(client)?.bytes ?? []).toString()).toBe("hello");
  endConnexion(server);
  expect(receiver.receive(client)).toEqual({ bytes: new Uint8Array(0), descriptors: [] });
  expect(sendAnswer(server, Buffer.from("late"))).toBe(false);
  for (const fd of [listener, client, server]) closeDescriptor(fd);
});

test("descriptors come with the bytes", () => {
  const [one, other] = socketPair();
  const file = openSync("/dev/null", "r");
  sendDescriptors(one, 258, [file]);
  const received = new Receiver(64).receive(other);
  expect(received?.bytes).toEqual(new Uint8Array([2, 1, 0, 0]));
  const [copy] = received?.descriptors ?? [];
  expect(fstatSync(copy ?? -1).rdev).toBe(fstatSync(file).rdev);
  closeSync(file);
  for (const fd of [one, other, copy ?? -1]) closeDescriptor(fd);
});

test("a set of descriptors: what is removed is not waited for", () => {
  const pipe = numberPipe();
  const epoll = new Epoll();
  epoll.add(pipe.readEnd);
  expect(epoll.wait(0)).toEqual([]);
  putNumber(pipe.writeEnd, -1);
  putNumber(pipe.writeEnd, 77);
  expect(epoll.wait(1000)).toEqual([pipe.readEnd]);
  const reader = new NumberReader(pipe.readEnd);
  expect([reader.next(), reader.next()]).toEqual([-1, 77]);
  putNumber(pipe.writeEnd, 1);
  epoll.remove(pipe.readEnd);
  expect(epoll.wait(0)).toEqual([]);
  closeDescriptor(pipe.writeEnd);
  expect(reader.next()).toBe(1);
  expect(() => reader.next()).toThrow("read");
  closeDescriptor(pipe.readEnd);
});

test("standard error goes into memory for a while", () => {
  const { outcome, text } = capturingStandardError(() => {
    writeSync(2, "said");
    return 5;
  });
  expect([outcome, text]).toEqual([{ value: 5 }, "said"]);
  const failed = capturingStandardError(() => {
    throw new Error("x");
  });
  expect(failed.outcome).toEqual({ error: new Error("x") });
});

test("a file in memory", () => {
  const fd = memoryStream();
  writeSync(fd, "content");
  expect(readFileSync(`/proc/self/fd/${fd}`, "utf8")).toBe("content");
  closeSync(fd);
});
