import type { Stamp } from "../../src/notify/compose.ts";
import type { Incident, NoticeRules } from "../../src/notify/incident.ts";

export const STAMP: Stamp = { time: Date.UTC(2026, 10, 22, 19, 6, 20), token: "k7", host: "filter.example" };

export const RULES: NoticeRules = {
  from: "MAILER-DAEMON",
  bounce: false,
  headers: false,
  postmaster: "postmaster",
  postmasterOnly: false,
};

export function incident(changes: Partial<Incident> = {}): Incident {
  const recipients = changes.recipients ?? ["<bob@lab.example>", "<carol@lab.example>"];
  return {
    situation: "refused",
    queueId: "4AMtest0001",
    sender: "<alice@example.net>",
    recipients,
    recipientCount: recipients.length,
    names: ["Eicar-Test-Signature"],
    clientHost: "client.example.net",
    clientAddress: "192.0.2.7",
    clientWords: "client.example.net [192.0.2.7]",
    origin: "",
    mtaHost: "mail.lab.example",
    macros: {},
    ...changes,
  };
}

/** Header fields of a mail in order, by lower-case name, unfolded; and its body. Strict: what is no header throws. */
export function parsed(bytes: Buffer): { fields: [string, string][]; body: string } {
  const text = bytes.toString("latin1");
  const end = text.indexOf("\n\n");
  if (end < 0) throw new Error("a mail without a body");
  const fields = text
    .slice(0, end)
    .replaceAll(/\n[ \t]+/g, " ")
    .split("\n")
    .map((line): [string, string] => {
      const parts = /^([!-9;-~]+): (.*)$/.exec(line);
      if (parts === null) throw new Error(`no header line: ${JSON.stringify(line)}`);
      return [(parts[1] ?? "").toLowerCase(), parts[2] ?? ""];
    });
  return { fields, body: text.slice(end + 2) };
}
