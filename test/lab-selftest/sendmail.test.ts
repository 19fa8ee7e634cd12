import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { NAMES } from "../lab/database.ts";
import { type DebianMilter, startDebianMilter } from "../lab/debian-milter.ts";
import { eicarAttachment } from "../lab/eicar.ts";
import { type LabFolder, trustedFolder } from "../lab/folder.ts";
import { mail } from "../lab/mail.ts";
import { freePort } from "../lab/port.ts";
import { type Sendmail, startSendmail } from "../lab/sendmail.ts";
import { type Sink, startSink } from "../lab/sink.ts";
import { sendMail } from "../lab/smtp-client.ts";
import { until } from "../lab/wait.ts";

let folder: LabFolder;
let clamd: Clamd;
let milter: DebianMilter;
let sink: Sink;
let sendmail: Sendmail;

beforeAll(async () => {
  folder = trustedFolder();
  sink = await startSink();
  clamd = await startClamd({ folder: folder.path });
  milter = await startDebianMilter({
    folder: folder.path,
    clamdSocket: `unix:${clamd.socketPath}`,
    unix: true,
  });
  sendmail = await startSendmail({
    folder: folder.path,
    milter: { spec: milter.spec, flags: "T" },
    sinkPort: sink.port,
  });
});

beforeEach(() => sink.clear());

afterAll(async () => {
  await sendmail?.stop();
  await milter?.stop();
  await clamd?.stop();
  await sink?.stop();
  folder?.remove();
});

const envelope = { from: "alice@lab.example", to: ["bob@lab.example", "carol@lab.example"] };

test("clean mail goes through the filter behind a unix socket and is delivered before the answer", async () => {
  const result = await sendMail({ port: sendmail.port, ...envelope, data: mail({ subject: "clean" }) });
  expect(result.code).toBe(250);
  expect(sink.mails).toHaveLength(1);
  expect(sink.mails[0]?.from).toBe("alice@lab.example");
  expect(sink.mails[0]?.rcpts.toSorted()).toEqual(envelope.to);
  expect(sink.mails[0]?.data).toContain("\r\nX-Virus-Status: Clean\r\n");
});

test("EICAR is refused in the dialogue", async () => {
  const data = mail({ attachments: [eicarAttachment()] });
  const result = await sendMail({ port: sendmail.port, ...envelope, data });
  expect(result.code).toBe(550);
  expect(result.text).toContain(NAMES.eicar);
  expect(sink.mails).toHaveLength(0);
  expect(await sendmail.logLine(/Milter: data, reject=550/)).toContain(NAMES.eicar);
  await until(() => sendmail.trace().includes("550 5.7.1 virus found"), {
    what: "the dialogue in the trace",
  });
});

test("local submission on standard input is delivered", async () => {
  const result = await sendmail.submit({ ...envelope, data: mail({ subject: "local" }) });
  expect(result.code).toBe(250);
  expect(sink.mails).toHaveLength(1);
});

test("with the filter dead, F=T makes it a temporary failure", async () => {
  const port = await freePort();
  const other = trustedFolder();
  const orphan = await startSendmail({
    folder: other.path,
    milter: { spec: `inet:${port}@127.0.0.1`, flags: "T" },
    sinkPort: sink.port,
  });
  try {
    const result = await sendMail({ port: orphan.port, ...envelope, data: mail() });
    expect(result.code).toBe(451);
    await orphan.logLine(/to error state/);
  } finally {
    await orphan.stop();
    other.remove();
  }
});

test("mail waits in the queue while the sink is away, and runQueue delivers it", async () => {
  const sinkPort = await freePort();
  const other = trustedFolder();
  const relay = await startSendmail({ folder: other.path, sinkPort });
  try {
    const result = await sendMail({ port: relay.port, ...envelope, data: mail({ subject: "waits" }) });
    expect(result.code).toBe(250);
    const queued = await until(() => relay.listQueue()[0], { what: "a queued message" });
    expect(queued.kind).toBe("q");
    expect(queued.text).toContain("bob@lab.example");
    const late = await startSink(sinkPort);
    await relay.runQueue();
    expect(late.mails).toHaveLength(1);
    expect(relay.listQueue()).toEqual([]);
    await late.stop();
  } finally {
    await relay.stop();
    other.remove();
  }
});
