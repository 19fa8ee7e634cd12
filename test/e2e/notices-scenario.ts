import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Clamd } from "../lab/clamd.ts";
import { NAMES } from "../lab/database.ts";
import { eicar, eicarAttachment, phishingMarker } from "../lab/eicar.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { mail } from "../lab/mail.ts";
import type { Sink, TakenMail } from "../lab/sink.ts";
import { type SendResult, sendMail } from "../lab/smtp-client.ts";
import { until } from "../lab/wait.ts";
import { headersOf } from "./mta-scenario.ts";

/** An MTA whose filter is started anew for each test. */
export interface NoticeHost {
  readonly clamd: Clamd;
  readonly sink: Sink;
  readonly folder: string;
  /** Port of the filter. */
  readonly milterPort: number;
  /** SMTP port of the MTA. */
  readonly port: number;
  /** The MTA's own `sendmail`. */
  readonly sendmail: string;
  /** How many mails wait in its queues. */
  queued(): Promise<number>;
}

/** Starts the filter behind an MTA. */
export function startNoticeFilter(
  { clamd, milterPort, sendmail, folder }: NoticeHost,
  options: readonly string[],
): Promise<Filter> {
  const common = ["-o", "-l", "--canary=0", `--sendmail-bin=${sendmail}`, `--spool-dir=${folder}/spool`];
  return startFilter({
    conf: clamd.confPath,
    sockets: [`inet:${milterPort}@127.0.0.1`],
    options: [...common, ...options],
  });
}

let counter = 0;

/** What must be seen in mailboxes behind every MTA. */
export function describeNotices(host: () => NoticeHost): void {
  const withFilter = async (
    options: readonly string[],
    work: (filter: Filter) => Promise<void>,
  ): Promise<void> => {
    host().sink.clear();
    const filter = await startNoticeFilter(host(), options);
    try {
      await work(filter);
    } finally {
      await filter.stop();
    }
  };
  const send = (data: string, to = ["bob@lab.example", "carol@lab.example"]): Promise<SendResult> =>
    sendMail({ port: host().port, from: "alice@lab.example", to, data });
  const infected = (subject: string): string => mail({ subject, attachments: [eicarAttachment()] });
  const taken = (filter: Filter, find: (mail: TakenMail) => boolean): Promise<TakenMail> =>
    host()
      .sink.waitForMail(find)
      .catch((error: Error) => {
        throw new Error(`${error.message}\n${filter.log()}`);
      });
  const notice = (filter: Filter, subject: string): Promise<TakenMail> =>
    taken(
      filter,
      (each) => each.from === "" && headersOf(each).get("subject")?.[0]?.startsWith(subject) === true,
    );

  test("refused: postmaster and recipients get a notice from nobody", async () => {
    await withFilter(["-p", "virus@lab.example", "-H"], async (filter) => {
      expect((await send(infected("refused one"))).code).toBe(554);
      const seen = await notice(filter, "Infected mail refused");
      // An MTA may send it to each of them by itself.
      const told = (): string[] =>
        host()
          .sink.mails.filter(({ from }) => from === "")
          .flatMap(({ rcpts }) => rcpts);
      await until(() => told().length === 3, { what: "three recipients", detail: filter.log });
      expect(told().toSorted()).toEqual(["bob@lab.example", "carol@lab.example", "virus@lab.example"]);
      const headers = headersOf(seen);
      expect(headers.get("subject")).toEqual([`Infected mail refused: ${NAMES.eicar}`]);
      expect(headers.get("from")?.[0]).toContain("MAILER-DAEMON");
      expect(headers.get("auto-submitted")).toEqual(["auto-generated (virus filter)"]);
      expect(seen.data).toContain("Subject: refused one\r\n");
    });
  }, 30_000);

  test("--noreject: 250, nothing is delivered but a notice", async () => {
    await withFilter(["-N", "-P", "-p", "virus@lab.example"], async (filter) => {
      expect((await send(infected("discarded one"))).code).toBe(250);
      expect((await notice(filter, "Infected mail thrown away")).rcpts).toEqual(["virus@lab.example"]);
      expect(host().sink.mails.some((each) => each.data.includes("discarded one"))).toBe(false);
    });
  }, 30_000);

  test("--advisory: delivered with marks, all bytes of the body as they were", async () => {
    await withFilter(["-A", "-q"], async (filter) => {
      const data = infected("marked one");
      expect((await send(data)).code).toBe(250);
      const seen = await taken(filter, (each) => each.data.includes("marked one"));
      const headers = headersOf(seen);
      expect(headers.get("subject")).toEqual([`[Virus] ${NAMES.eicar}`]);
      expect(headers.get("x-original-subject")).toEqual(["marked one"]);
      expect(headers.get("x-virus-status")).toEqual([`Infected with ${NAMES.eicar}`]);
      expect(bodyOf(seen.data)).toBe(bodyOf(data));
    });
  }, 30_000);

  test("--quarantine: one mail to that address alone, which tells whom it was for", async () => {
    await withFilter(["-Q", "quarantine@lab.example", "-q"], async (filter) => {
      expect((await send(infected("redirected one"))).code).toBe(250);
      const seen = await taken(filter, (each) => each.data.includes("redirected one"));
      expect(seen.rcpts).toEqual(["quarantine@lab.example"]);
      // sendmail puts the last that was added first.
      const original = headersOf(seen).get("x-original-to")?.toSorted();
      expect(original).toEqual(["bob@lab.example", "carol@lab.example"]);
      expect(host().sink.mails.length).toBe(1);
    });
  }, 30_000);

  test("--quarantine-dir: the whole message, without our own line, and its description", async () => {
    const directory = join(host().folder, `kept${++counter}`);
    mkdirSync(directory, { mode: 0o700 });
    await withFilter(["-U", directory, "-q"], async () => {
      const data = infected("kept one");
      expect((await send(data)).code).toBe(554);
      const [day = ""] = readdirSync(directory);
      const names = readdirSync(join(directory, day)).toSorted();
      expect(names.length).toBe(2);
      expect(names[0]).toEndWith(`.${NAMES.eicar}`);
      const path = join(directory, day, names[0] ?? "");
      const kept = readFileSync(path, "latin1");
      expect(kept).not.toContain("by clamav-milter");
      expect(kept).toContain("Subject: kept one\r\n");
      expect(bodyOf(kept)).toBe(bodyOf(data));
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(JSON.parse(readFileSync(`${path}.json`, "utf8"))).toMatchObject({
        sender: "<alice@lab.example>",
        recipients: ["<bob@lab.example>", "<carol@lab.example>"],
        names: [NAMES.eicar],
        client: { address: "127.0.0.1" },
      });
    });
    rmSync(directory, { recursive: true });
  }, 30_000);

  test("--sign: into the text of clean mail, every other byte as it was", async () => {
    await withFilter(["-S", "-q"], async (filter) => {
      const data = mail({ subject: "signed one", attachments: [{ name: "a.bin", content: "\0\x01\x02" }] });
      expect((await send(data)).code).toBe(250);
      const seen = await taken(filter, (each) => each.data.includes("signed one"));
      const line = "-- \r\nScanned for viruses with ClamAV.\r\n";
      expect(seen.data).toContain(line);
      expect(bodyOf(seen.data).replace(line, "")).toBe(bodyOf(data));
    });
  }, 30_000);

  test("--report-phish: the report with the phish in it is not caught again", async () => {
    await withFilter(["-r", "phish@report.example", "-q"], async (filter) => {
      expect((await send(mail({ subject: "a bank", body: `${phishingMarker()}\n` }))).code).toBe(554);
      const seen = await notice(filter, "Phishing mail");
      expect(seen.rcpts).toEqual(["phish@report.example"]);
      expect(headersOf(seen).get("content-type")?.[0]).toContain("multipart/mixed");
      expect(seen.data).toContain("Content-Type: message/rfc822\r\n");
      expect(seen.data).toContain(phishingMarker());
    });
  }, 30_000);

  test("hostile names and headers harm nobody", async () => {
    await withFilter(["-P", "-H", "-p", "virus@lab.example"], async (filter) => {
      const hostile: [string, string][] = [
        ["X-Evil", "$(reboot) `id` %v %h \xff\xfe\r\n\tBcc: evil@example.org"],
        ["X-Long", "y".repeat(900)],
      ];
      const data = mail({ subject: "%v $j$ $(id)", headers: hostile, body: eicar() });
      const to = ["bob@lab.example"];
      const result = await sendMail({ port: host().port, from: "a.$`id`@lab.example", to, data });
      expect([554, 553, 501]).toContain(result.code);
      if (result.code !== 554) return;
      // One of an earlier mail may still be on its way.
      const seen = await taken(filter, ({ from, data }) => from === "" && data.includes("%v $j$ $(id)"));
      expect(seen.rcpts).toEqual(["virus@lab.example"]);
      expect(headersOf(seen).get("bcc")).toBeUndefined();
    });
  }, 30_000);
}

function bodyOf(message: string): string {
  return message.slice(message.indexOf("\r\n\r\n") + 4);
}
