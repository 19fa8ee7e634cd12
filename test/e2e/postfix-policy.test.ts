import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { eicarAttachment } from "../lab/eicar.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { trustedFolder } from "../lab/folder.ts";
import { mail } from "../lab/mail.ts";
import { freePort } from "../lab/port.ts";
import { type Postfix, startPostfix } from "../lab/postfix.ts";
import { type Sink, startSink } from "../lab/sink.ts";
import { openSmtp, type SendResult } from "../lab/smtp-client.ts";
import { until } from "../lab/wait.ts";

const folder = trustedFolder();
let clamd: Clamd;
let sink: Sink;
let postfix: Postfix;
let filter: Filter;
let port: number;

beforeAll(async () => {
  port = await freePort();
  [clamd, sink] = await Promise.all([startClamd({ folder: folder.path }), startSink()]);
  const milter = `inet:127.0.0.1:${port}`;
  postfix = await startPostfix({ folder: folder.path, milter, nonSmtpdMilter: true, sinkPort: sink.port });
});

afterAll(async () => {
  await postfix.stop();
  await clamd.stop();
  await sink.stop();
  folder.remove();
});

async function withOptions(options: readonly string[], story: () => Promise<void>): Promise<void> {
  const sockets = [`inet:${port}@127.0.0.1`];
  filter = await startFilter({ conf: clamd.confPath, sockets, options: ["-q", ...options] });
  try {
    await story();
  } finally {
    await filter.stop();
  }
}

interface Told {
  readonly address: string;
  readonly name?: string;
  readonly helo?: string;
  readonly from?: string;
  readonly to?: readonly string[];
  readonly headerFrom?: string;
  readonly virus?: boolean;
}

/** Sends a message as a host of that address. */
async function send(subject: string, told: Told): Promise<SendResult> {
  const { address, name = "mx.other.example", helo = name, from = "someone@other.example" } = told;
  const session = await openSmtp({ port: postfix.port, helo, xclient: { ADDR: address, NAME: name } });
  const attachments = told.virus === true ? [eicarAttachment()] : [];
  const data = mail({ subject, from: told.headerFrom ?? from, attachments });
  try {
    return await session.send({ from, to: told.to ?? ["bob@partner.example"], data });
  } finally {
    await session.quit();
  }
}

async function emptyQueue(): Promise<void> {
  await until(async () => (await postfix.listQueue()).length === 0, {
    what: "Postfix's queue to be empty",
    detail: postfix.log,
  });
}

/** Bounces have the null sender. */
function delivered(subject: string): boolean {
  return sink.mails.some(({ from, data }) => from !== "" && data.includes(`Subject: ${subject}\r\n`));
}

const SUSPICIOUS = "5.7.1 Suspicious recipient address blocked";

test("recipients with ; and |: at RCPT from outside, at the end of the message from the command line", async () => {
  await withOptions(["-o", "-l"], async () => {
    const to = ['"a;b"@partner.example', "bob@partner.example", '"|x"@partner.example'];
    const outside = await send("from outside", { address: "192.0.2.5", to });
    expect(outside.replies.map(({ code }) => code)).toEqual([250, 554, 250, 554, 354, 250]);
    expect(outside.replies[1]?.text).toEndWith(SUSPICIOUS);
    const taken = await sink.waitForMail(({ data }) => data.includes("Subject: from outside\r\n"));
    expect([taken.rcpts, taken.data.includes("X-Virus-Status: Clean\r\n")]).toEqual([
      ["bob@partner.example"],
      true,
    ]);
    // The command line: Postfix plays the client, and would keep the mail for ever if RCPT was refused.
    const data = mail({ subject: "by command" });
    const command = await postfix.sendmailCommand(["-f", "alice@lab.example", ...to], data);
    expect(command.exitCode).toBe(0);
    await postfix.logLine(/milter-reject: END-OF-MESSAGE .*: 5\.7\.1 Suspicious recipient address blocked/);
    const bounce = await sink.waitForMail(
      ({ from, rcpts }) => from === "" && rcpts.includes("alice@lab.example"),
    );
    expect(bounce.data).toContain("Suspicious recipient address blocked");
    await emptyQueue();
    expect(delivered("by command")).toBe(false);
    const smtp = await send("by SMTP from here", { address: "127.0.0.1", name: "localhost", to });
    expect(smtp.replies.map(({ code }) => code)).toEqual([250, 250, 250, 250, 354, 554]);
    expect(smtp.text).toEndWith(SUSPICIOUS);
    await emptyQueue();
  });
}, 60_000);

test("a blacklisted host is told why; mail of the command line is never refused for its source", async () => {
  await withOptions(["-o", "-l", "-k", "600"], async () => {
    const host = { address: "192.0.2.66" };
    expect((await send("virus", { ...host, virus: true })).code).toBe(554);
    await filter.logLine(/Will blacklist 192\.0\.2\.66 for 600 seconds/);
    const next = await until(
      async () => {
        const result = await send("clean", host);
        return result.replies.length === 1 && result;
      },
      { what: "a refusal at MAIL", detail: filter.log },
    );
    const why = "Your IP (192.0.2.66) is blacklisted because your machine is infected with a virus";
    expect([next.code, next.text]).toEqual([550, `5.7.1 ${why}`]);
    const v6 = await send("virus", { address: "IPV6:2001:db8::66", virus: true });
    expect(v6.code).toBe(554);
    await filter.logLine(/Will blacklist 2001:db8::66 for/);
    const infected = mail({ subject: "own virus", attachments: [eicarAttachment()] });
    await postfix.sendmailCommand(["-f", "alice@lab.example", "bob@partner.example"], infected);
    await postfix.logLine(/milter-reject: END-OF-MESSAGE .*virus Eicar/);
    await postfix.sendmailCommand(
      ["-f", "alice@lab.example", "bob@partner.example"],
      mail({ subject: "own clean" }),
    );
    await sink.waitForMail(({ data }) => data.includes("Subject: own clean\r\n"));
    await emptyQueue();
    expect(filter.log()).not.toMatch(/Will blacklist 127/);
  });
}, 60_000);

test("forged: host name, HELO and sender at MAIL, From: at the end; the command line may be from here", async () => {
  await withOptions(["-L"], async () => {
    const address = "192.0.2.7";
    const ME = "5.7.1 You have claimed to be me, but you are not";
    const FROM_ME = "5.7.1 You have claimed to be from me, but you are not";
    const answers = async (told: Omit<Told, "address">): Promise<unknown[]> => {
      const { code, text, replies } = await send("forged", { address, ...told });
      return [replies.length, code, text];
    };
    expect(await answers({ name: "mail.lab.example", helo: "x.example" })).toEqual([1, 550, ME]);
    expect(await answers({ helo: "MAIL.lab.example" })).toEqual([1, 550, ME]);
    expect(await answers({ from: "boss@lab.example" })).toEqual([1, 550, FROM_ME]);
    expect(await answers({ headerFrom: "boss@Lab.Example" })).toEqual([4, 554, FROM_ME]);
    expect((await answers({ from: "boss@sub.lab.example" }))[1]).toBe(250);
    for (const rule of ["its host name is ours", "its HELO is our name", "the sender is in our domain"]) {
      await filter.logLine(
        new RegExp(`: NOQUEUE: Rejected \\w+ falsely claiming to be from here: ${rule}, `),
      );
    }
    await filter.logLine(
      /: \w{6,}: Rejected email falsely claiming to be from here: the From: address is in our/,
    );
    await postfix.sendmailCommand(
      ["-f", "boss@lab.example", "bob@partner.example"],
      mail({ subject: "the boss" }),
    );
    await sink.waitForMail(({ data }) => data.includes("Subject: the boss\r\n"));
    await emptyQueue();
  });
}, 60_000);
