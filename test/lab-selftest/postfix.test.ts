import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { NAMES } from "../lab/database.ts";
import { type DebianMilter, startDebianMilter } from "../lab/debian-milter.ts";
import { eicarAttachment } from "../lab/eicar.ts";
import { type LabFolder, trustedFolder } from "../lab/folder.ts";
import { mail } from "../lab/mail.ts";
import { type Postfix, startPostfix } from "../lab/postfix.ts";
import { type Sink, startSink } from "../lab/sink.ts";
import { sendMail } from "../lab/smtp-client.ts";

let folder: LabFolder;
let clamd: Clamd;
let milter: DebianMilter;
let sink: Sink;
let postfix: Postfix;

beforeAll(async () => {
  folder = trustedFolder();
  sink = await startSink();
  clamd = await startClamd({ folder: folder.path });
  milter = await startDebianMilter({
    folder: folder.path,
    clamdSocket: `unix:${clamd.socketPath}`,
    unix: true,
  });
  postfix = await startPostfix({
    folder: folder.path,
    milter: milter.postfixSpec,
    sinkPort: sink.port,
    nonSmtpdMilter: true,
  });
});

beforeEach(() => sink.clear());

afterAll(async () => {
  await postfix?.stop();
  await milter?.stop();
  await clamd?.stop();
  await sink?.stop();
  folder?.remove();
});

const envelope = { from: "alice@lab.example", to: ["bob@lab.example"] };

test("clean mail goes through the filter behind a unix socket and is delivered", async () => {
  const result = await sendMail({ port: postfix.port, ...envelope, data: mail({ subject: "clean" }) });
  expect(result.code).toBe(250);
  const got = await sink.waitForMail(({ data }) => data.includes("Subject: clean"));
  expect(got.data).toContain("\r\nX-Virus-Status: Clean\r\n");
});

test("EICAR is refused in the dialogue, from any client address we pretend to have", async () => {
  const data = mail({ attachments: [eicarAttachment()] });
  const xclient = { ADDR: "IPV6:2001:db8::7", NAME: "client.example" };
  const result = await sendMail({ port: postfix.port, ...envelope, data, xclient });
  expect(result.code).toBe(550);
  expect(result.text).toContain(NAMES.eicar);
  await postfix.logLine(/milter-reject: END-OF-MESSAGE from client\.example\[2001:db8::7\]/);
});

test("local mail waits while clamd is away and is delivered after flush", async () => {
  await clamd.stop();
  const input = mail({ subject: "local" }).replaceAll("\r\n", "\n");
  const { exitCode } = await postfix.sendmailCommand(["-f", "root@lab.example", "bob@lab.example"], input);
  expect(exitCode).toBe(0);
  const refused = await sendMail({ port: postfix.port, ...envelope, data: mail() });
  expect(refused.code).toBe(451);
  await clamd.restart();
  await postfix.flush();
  await sink.waitForMail(({ data }) => data.includes("Subject: local"));
  expect(sink.mails).toHaveLength(1);
});

test("the queue can be looked at", async () => {
  const other = trustedFolder();
  const gone = await startSink();
  await gone.stop();
  const relay = await startPostfix({ folder: other.path, sinkPort: gone.port });
  try {
    expect((await sendMail({ port: relay.port, ...envelope, data: mail() })).code).toBe(250);
    const [queued] = await relay.listQueue();
    expect(queued).toMatchObject({
      sender: "alice@lab.example",
      recipients: [{ address: "bob@lab.example" }],
    });
  } finally {
    await relay.stop();
    other.remove();
  }
});

test("the host has none of the lab's accounts and mounts", () => {
  expect(readFileSync("/proc/mounts", "utf8")).not.toContain(folder.path);
  expect(readFileSync("/etc/passwd", "utf8")).not.toContain("postfix:x:615");
});
