import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { NAMES } from "../lab/database.ts";
import { eicarAttachment, phishingMarker } from "../lab/eicar.ts";
import type { Filter } from "../lab/filter.ts";
import { mail } from "../lab/mail.ts";
import type { TakenMail } from "../lab/sink.ts";
import { type SendResult, sendMail } from "../lab/smtp-client.ts";
import { until } from "../lab/wait.ts";
import { headersOf } from "./mta-scenario.ts";
import { type NoticeHost, startNoticeFilter } from "./notices-scenario.ts";

const CODE = "x-clamav-milter-code";

/** Our own mail, which passes the filter again: it is known, once, and nobody else's is. */
export function describeOwnMail(host: () => NoticeHost): void {
  const send = (data: string, from = "alice@lab.example", to = ["bob@lab.example"]): Promise<SendResult> =>
    sendMail({ port: host().port, from, to, data });

  const subjectOf = (taken: TakenMail): string => headersOf(taken).get("subject")?.[0] ?? "";

  /** Waits until nothing of ours is on its way any more: neither here nor in the MTA. */
  const quiet = async (filter: Filter): Promise<void> => {
    const spool = join(host().folder, "spool");
    const waiting = (): number =>
      readdirSync(spool).flatMap((name) => {
        const outbox = join(spool, name, "outbox");
        return existsSync(outbox) ? readdirSync(outbox) : [];
      }).length;
    await until(async () => waiting() === 0 && (await host().queued()) === 0 && waiting() === 0, {
      ...{ what: "empty queues", detail: () => `${waiting()}\n${filter.log()}` },
    });
  };

  /** With nothing left of what was sent before: a filter that is ended with its mail program sends again. */
  const startAlone = async (options: readonly string[]): Promise<Filter> => {
    const filter = await startNoticeFilter(host(), options);
    await quiet(filter);
    host().sink.clear();
    return filter;
  };

  /** Whom the sink got mails of ours for, with their subjects. */
  const ours = (): string[] =>
    host()
      .sink.mails.filter(({ from }) => from === "")
      .flatMap((taken) => taken.rcpts.map((to) => `${to} ${subjectOf(taken)}`))
      .toSorted();

  test("-o -f -l -r -H: one report and one notice of each infected mail, and no more", async () => {
    const options = ["-f", "-H", "-r", "phish@report.example", "-p", "virus@lab.example"];
    const filter = await startAlone(options);
    try {
      const body = `${phishingMarker()}\n`;
      for (const subject of ["first bank", "second bank"]) {
        expect((await send(mail({ subject, body }))).code).toBe(554);
      }
      await until(() => ours().length >= 6, {
        ...{ what: "reports and notices", detail: () => `${ours().join("\n")}\n${filter.log()}` },
      });
      await quiet(filter);
      const report = `phish@report.example Phishing mail: ${NAMES.phishing}`;
      const notices = ["bob@lab.example", "virus@lab.example"].map(
        (to) => `${to} Infected mail refused: ${NAMES.phishing}`,
      );
      expect(ours()).toEqual([...notices, ...notices, report, report].toSorted());
      const reports = host().sink.mails.filter(({ rcpts }) => rcpts.includes("phish@report.example"));
      // Each has its own message in it, and came by our filter: nobody else could have let it through.
      for (const subject of ["first bank", "second bank"]) {
        expect(reports.filter(({ data }) => data.includes(`Subject: ${subject}\r\n`)).length).toBe(1);
      }
      const passed = filter.log().match(/: not scanned: a notice of our own/g) ?? [];
      expect(passed.length).toBeGreaterThanOrEqual(4);
      expect(filter.log().match(/: rejected virus=/g)).toHaveLength(2);
    } finally {
      await filter.stop();
    }
  }, 60_000);

  test("a forged and a replayed code are scanned like any mail, and nothing is told of it", async () => {
    const options = ["-f", "-P", "-p", "virus@lab.example"];
    let filter = await startAlone(options);
    try {
      const infected = mail({ subject: "a virus", attachments: [eicarAttachment()] });
      expect((await send(infected)).code).toBe(554);
      await until(() => ours().length === 1, { what: "a genuine notice", detail: filter.log });
      await quiet(filter);
      const [genuine] = host().sink.mails;
      if (genuine === undefined) throw new Error("there is no notice");
      const [code = ""] = headersOf(genuine).get(CODE) ?? [];
      const [messageId = ""] = headersOf(genuine).get("message-id") ?? [];
      expect(code).toMatch(/^1 [0-9a-z]+ [\w-]{16}$/);

      const claim = (value: string, data: string): string =>
        `X-ClamAV-Milter-Code: ${value}\r\n${data.replace(/Message-ID: .*\r\n/, `Message-ID: ${messageId}\r\n`)}`;
      const forged = code.replace(/.{16}$/, "AAAAAAAAAAAAAAAA");
      const clean = mail({ subject: "no virus" });
      // As our own come: from this machine, from nobody, to whom the genuine one was for.
      const as = (value: string, data: string) => send(claim(value, data), "", ["virus@lab.example"]);
      const caught = { code: 554, text: expect.stringContaining(`virus ${NAMES.eicar}`) };
      expect(await as(code, infected)).toMatchObject(caught);
      expect(await as(forged, infected)).toMatchObject(caught);
      expect((await as(code, clean)).code).toBe(250);
      // The whole genuine notice once more.
      expect((await send(genuine.data, "", ["virus@lab.example"])).code).toBe(250);

      // Another process remembers what was used.
      await filter.stop();
      filter = await startNoticeFilter(host(), options);
      expect(await as(code, infected)).toMatchObject(caught);
      await quiet(filter);

      const scanned = host().sink.mails.filter((taken) => taken !== genuine);
      expect(scanned.map((taken) => [subjectOf(taken), headersOf(taken).get("x-virus-status")])).toEqual([
        ["no virus", ["Clean"]],
        [subjectOf(genuine), ["Clean"]],
      ]);
    } finally {
      await filter.stop();
    }
  }, 60_000);
}
