import { afterEach, beforeEach, expect, test } from "bun:test";
import { fstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerAddress } from "../../src/clamd/address.ts";
import type { Settings } from "../../src/config/settings.ts";
import { type Channel, openChannel } from "../../src/ipc/channel.ts";
import { openDesk } from "../../src/keeper/child-desk.ts";
import { connectDescriptor } from "../../src/keeper/connector.ts";
import { ServerNames } from "../../src/keeper/server-names.ts";
import { beginConnecting } from "../../src/os/connecting.ts";
import { descriptorSocketPair, receiveDescriptors } from "../../src/os/descriptor-passing.ts";
import {
  AF_UNIX,
  bindSocket,
  closeDescriptor,
  listenSocket,
  socketPair,
  streamSocket,
} from "../../src/os/libc.ts";
import { unixAddress } from "../../src/os/sockaddr.ts";
import { until } from "../lab/wait.ts";

const names = new ServerNames({ addresses: () => Promise.reject(new Error("no names")), now: () => 0 });
let folder: string;
let logged: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "desk-"));
  logged = [];
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A child in the test's hands: it may send what it likes. */
interface FakeChild {
  readonly channel: Channel;
  readonly answers: unknown[];
  readonly passing: number;
  deskEnded(): boolean;
  childEnded(): boolean;
}

async function openChild(): Promise<FakeChild> {
  const [ours, theirs] = socketPair();
  const [passing, theirPassing] = descriptorSocketPair();
  const answers: unknown[] = [];
  let deskOver = false;
  let childOver = false;
  // What the desk reads of the settings.
  const settings = {
    temporaryDirectory: folder,
  } as unknown as Settings;
  const clamd: ServerAddress = { kind: "unix", path: join(folder, "clamd.sock"), name: "clamd" };
  const world = {
    settings: () => settings,
    log: (level: string, text: string) => logged.push(`${level}: ${text}`),
    nameOf: () => Promise.resolve("name.example"),
    connect: (name: string, deadline: number) =>
      name === clamd.name
        ? connectDescriptor(clamd, deadline, names)
        : Promise.reject(new Error("there is no such server")),
    notice: async () => "",
    onTextsWanted: () => {},
    leadsToNull: () => Promise.resolve(false),
    onAccessWanted: () => {},
    onTrouble: () => {},
  };
  await openDesk(theirs, theirPassing, world, () => {
    deskOver = true;
  });
  const channel = await openChannel(ours, {
    onMessage: (message) => answers.push(message),
    onEnd: () => {
      childOver = true;
    },
  });
  return { channel, answers, passing, deskEnded: () => deskOver, childEnded: () => childOver };
}

function close(child: FakeChild): void {
  child.channel.close();
  closeDescriptor(child.passing);
}

async function answersOf(child: FakeChild, count: number): Promise<unknown[]> {
  await until(() => child.answers.length >= count, { what: `${count} answers` });
  return child.answers;
}

test("a spool file is a new one without a name", async () => {
  const child = await openChild();
  child.channel.send({ type: "spool", id: 7 });
  expect(await answersOf(child, 1)).toEqual([{ type: "done", id: 7 }]);
  const { number, descriptors } = receiveDescriptors(child.passing);
  expect([number, descriptors.length]).toEqual([7, 1]);
  const stat = fstatSync(descriptors[0] ?? -1);
  expect([stat.isFile(), stat.nlink, stat.size, stat.mode & 0o777]).toEqual([true, 0, 0, 0o600]);
  expect(readdirSync(folder)).toEqual([]);
  for (const fd of descriptors) closeDescriptor(fd);
  close(child);
});

test("connexions lead to the servers of the settings only", async () => {
  const child = await openChild();
  child.channel.send({ type: "connect", id: 1, server: "/etc/passwd", deadline: 1000 });
  child.channel.send({ type: "connect", id: 2, server: "clamd", deadline: 1000 });
  expect(await answersOf(child, 2)).toEqual(
    expect.arrayContaining([
      { type: "failed", id: 1, reason: "there is no such server" },
      { type: "failed", id: 2, reason: "no such socket: is clamd running?" },
    ]),
  );
  close(child);
});

const INVALID: readonly (readonly [string, object])[] = [
  ["a server that is no name", { type: "connect", id: 1, server: 0, deadline: 1 }],
  ["a path in place of a server", { type: "connect", id: 1, path: "/etc/shadow" }],
  ["a kind that there is not", { type: "open", id: 1, path: "/etc/shadow" }],
  ["a number too large", { type: "spool", id: 2 ** 32 }],
  ["a level that there is not", { type: "log", lines: [{ level: "fatal", text: "x" }] }],
  ["a line too long", { type: "log", lines: [{ level: "info", text: "x".repeat(20_000) }] }],
  ["fields that are a list", { type: "log", lines: [{ level: "info", text: "x", fields: [] }] }],
  ["a list", []],
];

test.each(INVALID)("a request with %s closes the link", async (_what, message) => {
  const child = await openChild();
  child.channel.send(message);
  await until(() => child.deskEnded() && child.childEnded(), { what: "the end of the link" });
  expect(logged).toEqual(["error: a child sent a request of no known kind: its link is closed"]);
  closeDescriptor(child.passing);
});

test("a connexion that comes about after its child is gone goes to nobody else", async () => {
  const address = unixAddress(join(folder, "clamd.sock"));
  const listener = streamSocket(AF_UNIX, true);
  bindSocket(listener, address);
  listenSocket(listener, 0);
  // The backlog is full now: the keeper tries again and again.
  const first = beginConnecting(AF_UNIX, address).fd;
  const gone = await openChild();
  gone.channel.send({ type: "connect", id: 1, server: "clamd", deadline: 5000 });
  gone.channel.send({ type: "connect", id: 2, server: "x", deadline: 5000 });
  await answersOf(gone, 1);
  close(gone);
  await until(gone.deskEnded, { what: "the end of the link" });
  const other = await openChild();
  listenSocket(listener, 5);
  other.channel.send({ type: "connect", id: 3, server: "clamd", deadline: 5000 });
  // Both connexions are made by now: looked at last every 50 ms.
  await Bun.sleep(120);
  expect(await answersOf(other, 1)).toEqual([{ type: "done", id: 3 }]);
  const { number, descriptors } = receiveDescriptors(other.passing);
  expect(number).toBe(3);
  expect(() => receiveDescriptors(other.passing)).toThrow("EAGAIN");
  for (const fd of [...descriptors, first, listener]) closeDescriptor(fd);
  close(other);
});

test("more lines than a child may say are counted, not written", async () => {
  const child = await openChild();
  const lines = Array.from({ length: 250 }, (_, at) => ({ level: "info", text: `line ${at}` }));
  for (let round = 0; round < 10; round++) child.channel.send({ type: "log", lines });
  child.channel.send({ type: "spool", id: 1 });
  await answersOf(child, 1);
  expect(logged.length).toBe(2000);
  close(child);
});
