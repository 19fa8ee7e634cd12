import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { join } from "node:path";
import { ALL_ACTIONS } from "../../src/milter/codes.ts";
import type { MtaCommand } from "../../src/milter/commands.ts";
import { FrameDecoder } from "../../src/milter/frame.ts";
import { decodeReply, encodeCommand, type FilterReply } from "../../src/milter/mta-codec.ts";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { BINARY } from "../lab/filter.ts";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { freePort } from "../lab/port.ts";
import { type NamespacedProcess, startNamespaced } from "../lab/process.ts";
import { until } from "../lab/wait.ts";

let folder: LabFolder;
let clamd: Clamd;
let filter: NamespacedProcess;
let port: number;
let port6: number;

/** The filter sees an /etc with nothing in it but what name look-ups and access rules need. */
function etc(name: string, text: string): void {
  writeFileSync(join(folder.path, "etc", name), text);
}

beforeAll(async () => {
  folder = plainFolder();
  mkdirSync(join(folder.path, "etc"));
  for (const name of ["passwd", "group"]) copyFileSync(`/etc/${name}`, join(folder.path, "etc", name));
  etc("nsswitch.conf", "hosts: files\npasswd: files\ngroup: files\n");
  etc("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
  etc("hosts", "127.0.0.1 localhost\n::1 localhost\n127.0.0.3 good.lab.example\n127.0.0.4 bad.lab.example\n");
  clamd = await startClamd({ folder: folder.path });
  port = await freePort();
  port6 = await freePort("::1");
  filter = startNamespaced({
    name: "clamav-milter",
    setup: 'mount --bind "$1" /etc',
    arguments: [join(folder.path, "etc")],
    argv: [
      BINARY,
      "--foreground",
      "--external",
      "--quiet",
      "--no-check-cf",
      ...["-c", clamd.confPath],
      `inet:${port}@0.0.0.0`,
      `inet6:${port6}@::1`,
      `unix:${join(folder.path, "milter.sock")}`,
    ],
  });
  await logLine(/ accepts mail on /);
}, 60_000);

afterAll(async () => {
  await filter.stop();
  await clamd.stop();
  folder.remove();
});

function logLine(pattern: RegExp): Promise<string> {
  return until(
    () => {
      filter.demandRunning();
      return filter
        .output()
        .split("\n")
        .find((line) => pattern.test(line));
    },
    { what: `a line like ${pattern}`, detail: filter.output },
  );
}

/** Puts new rules in place and waits until they count. */
async function rules(allow: string, deny: string, marker: string): Promise<void> {
  etc("hosts.allow", allow);
  // An option that does not exist is told of when the rules are read.
  etc("hosts.deny", `${deny}clamav-milter: 192.0.2.1: ${marker}\n`);
  await logLine(new RegExp(marker));
}

/** An MTA's first words, from a chosen address: what CONNECT is answered with, and MAIL after it. */
async function greet(options: NetConnectOpts): Promise<string[]> {
  const socket: Socket = connect(options);
  const decoder = new FrameDecoder(1 << 16);
  const replies: FilterReply[] = [];
  let failed: Error | null = null;
  socket.on("error", (error) => {
    failed = error;
  });
  socket.on("data", (bytes: Buffer) => {
    decoder.push(bytes, (frame) => {
      replies.push(decodeReply(frame));
      return true;
    });
  });
  const ask = async (command: MtaCommand): Promise<FilterReply> => {
    const count = replies.length;
    socket.write(encodeCommand(command));
    return until(
      () => {
        if (failed !== null) throw failed;
        return replies[count];
      },
      { what: `an answer to ${command.kind}`, detail: filter.output },
    );
  };
  try {
    const negotiated = await ask({ kind: "negotiate", version: 6, actions: ALL_ACTIONS, steps: 0 });
    expect(negotiated.kind).toBe("negotiate");
    const client = { host: "client.example", family: "inet", port: 25, address: "192.0.2.77" } as const;
    const greeting = await ask({ kind: "connect", ...client });
    const mail = await ask({ kind: "mail", sender: "<a@b.example>", parameters: [] });
    return [greeting.kind, mail.kind];
  } finally {
    socket.destroy();
  }
}

function fromAddress(localAddress: string): Promise<string[]> {
  return greet({ host: "127.0.0.1", port, localAddress });
}

/** Every process gets new rules by itself: the first answer after a change may be late. */
async function settles(address: string, expected: readonly string[]): Promise<void> {
  await until(async () => Bun.deepEquals(await fromAddress(address), expected), {
    what: `the new rules to count for ${address}`,
    detail: filter.output,
  });
}

const GRANTED = ["continue", "continue"];
const DENIED = ["tempfail", "tempfail"];

test("without any rules everybody may", async () => {
  expect(await fromAddress("127.0.0.1")).toEqual(GRANTED);
  expect(await fromAddress("127.0.0.2")).toEqual(GRANTED);
}, 20_000);

test("rules for addresses; the first denial is told with file and line; IPv6; not for the Unix socket", async () => {
  await rules("clamav-milter: 127.0.0.1\n", "sshd: 127.0.0.1\nclamav-milter: ALL\n", "addresses");
  await settles("127.0.0.2", DENIED);
  expect(await fromAddress("127.0.0.1")).toEqual(GRANTED);
  expect(await fromAddress("127.0.0.2")).toEqual(DENIED);
  expect(await logLine(/access denied for \[127\.0\.0\.2\]/)).toContain("by /etc/hosts.deny:2");
  expect(await greet({ host: "::1", port: port6 })).toEqual(DENIED);
  expect(await logLine(/access denied for \[::1\]/)).toContain("by /etc/hosts.deny:2");
  expect(await greet({ path: join(folder.path, "milter.sock") })).toEqual(GRANTED);
  await rules("clamav-milter: [::1]\n", "clamav-milter: ALL\n", "version6");
  await settles("127.0.0.1", DENIED);
  expect(await greet({ host: "::1", port: port6 })).toEqual(GRANTED);
  expect(await fromAddress("127.0.0.1")).toEqual(DENIED);
}, 40_000);

test("rules for names: granted by name, denied by name, and who has none", async () => {
  await rules("clamav-milter: good.lab.example\n", "clamav-milter: .lab.example UNKNOWN\n", "names");
  await settles("127.0.0.3", GRANTED);
  expect(await fromAddress("127.0.0.3")).toEqual(GRANTED);
  expect(await fromAddress("127.0.0.4")).toEqual(DENIED);
  expect(await logLine(/access denied for bad\.lab\.example\[127\.0\.0\.4\]/)).toContain(
    "by /etc/hosts.deny:1",
  );
  expect(await fromAddress("127.0.0.9")).toEqual(DENIED);
  expect(await logLine(/access denied for unknown\[127\.0\.0\.9\]/)).toContain("by /etc/hosts.deny:1");
  expect(await fromAddress("127.0.0.1")).toEqual(GRANTED);
}, 40_000);

test("rules taken away count no more", async () => {
  await rules("", "clamav-milter: 127.0.0.1\n", "before");
  await settles("127.0.0.1", DENIED);
  etc("hosts.deny", "");
  await settles("127.0.0.1", GRANTED);
}, 40_000);
