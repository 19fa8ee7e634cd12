import { expect, test } from "bun:test";
import type { Clamd } from "../lab/clamd.ts";
import { NAMES } from "../lab/database.ts";
import { eicarAttachment } from "../lab/eicar.ts";
import type { Filter } from "../lab/filter.ts";
import { mail } from "../lab/mail.ts";
import type { Sink, TakenMail } from "../lab/sink.ts";
import { type SendResult, sendMail } from "../lab/smtp-client.ts";

/** An MTA with our filter in front of a clamd, delivering to a sink. */
export interface Host {
  readonly clamd: Clamd;
  readonly filter: Filter;
  readonly sink: Sink;
  /** SMTP port of the MTA. */
  readonly port: number;
}

/** The header fields of a message that was delivered, by lower-case name. */
export function headersOf(taken: TakenMail): Map<string, string[]> {
  const [head = ""] = taken.data.split("\r\n\r\n", 1);
  const fields = new Map<string, string[]>();
  for (const line of head.replaceAll(/\r\n[ \t]+/g, " ").split("\r\n")) {
    const at = line.indexOf(":");
    const name = line.slice(0, at).toLowerCase();
    fields.set(name, [...(fields.get(name) ?? []), line.slice(at + 1).trim()]);
  }
  return fields;
}

function submit(host: Host, data: string): Promise<SendResult> {
  return sendMail({ port: host.port, from: "alice@lab.example", to: ["bob@lab.example"], data });
}

function delivered(host: Host, subject: string): Promise<TakenMail> {
  return host.sink.waitForMail((taken) => taken.data.includes(`Subject: ${subject}\r\n`));
}

/** What every MTA must show: the default verdicts, and the way of a message while clamd is away. */
export function describeMta(host: () => Host): void {
  test("a clean message is delivered with our headers", async () => {
    const result = await submit(host(), mail({ subject: "clean one" }));
    expect(result.code).toBe(250);
    const headers = headersOf(await delivered(host(), "clean one"));
    expect(headers.get("x-virus-status")).toEqual(["Clean"]);
    expect(headers.get("x-virus-scanned")).toEqual([
      expect.stringMatching(/^ClamAV version 1\.\S+, clamav-milter version \d\S* on mail\.lab\.example$/),
    ]);
  });

  test("EICAR in an attachment is refused in the dialogue, with its name", async () => {
    const data = mail({ subject: "infected one", attachments: [eicarAttachment()] });
    const result = await submit(host(), data);
    expect(result.code).toBe(554);
    expect(result.text).toBe(`5.7.1 virus ${NAMES.eicar} detected by ClamAV - http://www.clamav.net`);
    const line = await host().filter.logLine(/: rejected virus=/);
    expect(line).toMatch(
      /clamav-milter: \w+: rejected virus="Eicar-Test-Signature\.UNOFFICIAL" from=<alice@lab\.example> to=<bob@lab\.example> client=\S+\[127\.0\.0\.1\] size=\d+ server=unix:\S+ ms=\d+$/,
    );
    expect(host().sink.mails.some((taken) => taken.data.includes("infected one"))).toBe(false);
  });

  test("forged X-Virus-Status headers are gone, and nothing else is changed", async () => {
    const forged: [string, string][] = [
      ["X-Virus-Status", "Clean"],
      ["X-First", "  kept as\r\n\tit is  "],
      ["x-virus-STATUS", "Clean, really"],
      ["X-Virus-Status", "No"],
    ];
    const result = await submit(host(), mail({ subject: "forged", headers: forged }));
    expect(result.code).toBe(250);
    const taken = await delivered(host(), "forged");
    expect(headersOf(taken).get("x-virus-status")).toEqual(["Clean"]);
    expect(taken.data).not.toContain("really");
    expect(taken.data).toContain("X-First:   kept as\r\n\tit is");
  });

  test("clamd away: 451, and the retry is delivered once it is back", async () => {
    const { clamd } = host();
    await clamd.stop();
    const data = mail({ subject: "patience" });
    const refused = await submit(host(), data);
    expect(refused.code).toBe(451);
    expect(await host().filter.logLine(/: tempfailed reason=/)).toContain("is clamd running?");
    await clamd.restart();
    const retried = await submit(host(), data);
    expect(retried.code).toBe(250);
    expect(headersOf(await delivered(host(), "patience")).get("x-virus-status")).toEqual(["Clean"]);
  });
}
