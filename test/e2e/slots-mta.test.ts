import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { type FakeClamd, startFakeClamd } from "../fakes/clamd.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { trustedFolder } from "../lab/folder.ts";
import { mail } from "../lab/mail.ts";
import { freePort } from "../lab/port.ts";
import { type Postfix, startPostfix } from "../lab/postfix.ts";
import { type Sendmail, startSendmail } from "../lab/sendmail.ts";
import { type Sink, startSink } from "../lab/sink.ts";
import { type SendResult, sendMail } from "../lab/smtp-client.ts";
import { until } from "../lab/wait.ts";

const PATIENCE = 60_000;
/** Longer than sendmail waits for an answer, `R:10s`. Milliseconds. */
const OCCUPIED = 12_000;
const folder = trustedFolder();
/** Ended last first. */
const running: (() => unknown)[] = [];
let fake: FakeClamd;
let filter: Filter;
let port: number;
let sink: Sink;
let mtas: readonly (Sendmail | Postfix)[];
/** How long the scan takes that comes next. */
let after = 0;

async function started(options: readonly string[]): Promise<void> {
  const scanner = join(folder.path, "clamd.sock");
  const conf = join(folder.path, "clamd.conf");
  writeFileSync(conf, `LocalSocket ${scanner}\n`);
  filter = await startFilter({ conf, sockets: [`inet:${port}@127.0.0.1`], options: ["-olq", ...options] });
}

beforeAll(async () => {
  port = await freePort();
  fake = startFakeClamd(join(folder.path, "clamd.sock"), () => ({ say: "stream: OK", after }));
  running.push(() => fake.stop());
  sink = await startSink();
  running.push(() => sink.stop());
  const place = { folder: folder.path, sinkPort: sink.port };
  const sendmail = await startSendmail({
    ...place,
    milter: { spec: `inet:${port}@127.0.0.1`, flags: "T", timeouts: "S:10s;R:10s;C:10s;E:5m" },
  });
  running.push(() => sendmail.stop());
  const postfix = await startPostfix({ ...place, milter: `inet:127.0.0.1:${port}` });
  running.push(() => postfix.stop());
  mtas = [sendmail, postfix];
}, PATIENCE);

afterAll(async () => {
  for (const stop of running.splice(0).reverse()) await stop();
  folder.remove();
}, PATIENCE);

/** Puts a message into scanning for so many milliseconds. Answers how to learn its verdict. */
async function occupy(milliseconds: number): Promise<() => Promise<string>> {
  const mta = await MtaConnexion.open({ hostname: "127.0.0.1", port });
  await mta.negotiate();
  await mta.greet();
  after = milliseconds;
  const outcome = mta.mail({ headers: [["Subject", "long"]] });
  await until(() => fake.scanning === 1, { what: "a message in scanning" });
  after = 0;
  return async () => {
    const { verdict } = await outcome;
    mta.quit();
    return verdict.kind;
  };
}

function submit(mta: Sendmail | Postfix, subject: string): Promise<SendResult> {
  const envelope = { from: "alice@lab.example", to: ["bob@lab.example"], data: mail({ subject }) };
  return sendMail({ port: mta.port, deadline: 60_000, ...envelope });
}

test(
  "a wait for a place that is longer than an MTA waits for an answer ends in a verdict",
  async () => {
    await started(["-m1"]);
    const begun = performance.now();
    const verdict = await occupy(OCCUPIED);
    const results = await Promise.all(mtas.map((mta, at) => submit(mta, `patience ${at}`)));
    expect(performance.now() - begun).toBeGreaterThan(OCCUPIED);
    expect(results.map(({ code }) => code)).toEqual([250, 250]);
    expect(await verdict()).toBe("accept");
    expect(fake.most).toBe(1);
    for (const at of [0, 1]) {
      const taken = await sink.waitForMail(({ data }) => data.includes(`Subject: patience ${at}\r\n`));
      expect(taken.data).toContain("X-Virus-Status: Clean\r\n");
    }
    expect(await filter.stop()).toBe(0);
  },
  PATIENCE,
);

test(
  "--dont-wait: the sender reads that it is to try again later",
  async () => {
    await started(["-m1", "--dont-wait"]);
    const verdict = await occupy(1500);
    const results = await Promise.all(mtas.map((mta) => submit(mta, "in a hurry")));
    for (const { code, text } of results) {
      expect(code).toBe(451);
      expect(text).toBe("4.3.2 AV system temporarily overloaded - please try later");
    }
    expect(await verdict()).toBe("accept");
    expect(await filter.stop()).toBe(0);
  },
  PATIENCE,
);
