import { type FilterAddress, MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import type { FilterReply } from "../../src/milter/mta-codec.ts";

/** A message with all that a policy may look at. */
export interface JudgedMail {
  readonly family: "inet" | "inet6" | "unix" | "unknown";
  readonly address: string;
  readonly host?: string;
  readonly helo?: string;
  readonly login?: string | null;
  readonly sender?: string;
  readonly recipients?: readonly string[];
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
  /** The MTA's name for itself. */
  readonly mta?: string;
}

/** What the filter said. */
export interface Judgement {
  /** The stage at which it was over. */
  readonly stage: string;
  /** The SMTP reply, `scanned` for mail with our headers, or the kind of verdict. */
  readonly answer: string;
  readonly refusedRecipients: readonly string[];
}

function textOf(reply: FilterReply): string {
  return reply.kind === "replyCode" ? reply.text : reply.kind;
}

/** Hands one message to the filter as an MTA does, recipient by recipient, to its end. */
export async function judge(filter: FilterAddress, mail: JudgedMail): Promise<Judgement> {
  const mta = await MtaConnexion.open(filter);
  try {
    await mta.negotiate();
    return await dialogue(mta, mail);
  } finally {
    mta.quit();
  }
}

async function dialogue(mta: MtaConnexion, mail: JudgedMail): Promise<Judgement> {
  const refusedRecipients: string[] = [];
  const over = (stage: string, reply: FilterReply): Judgement => ({
    stage,
    answer: textOf(reply),
    refusedRecipients,
  });
  const { family, address, host = "mx.other.example", helo = host, login = null } = mail;
  mta.macro("connect", [["j", mail.mta ?? "mail.example.org"]]);
  const greeting = await mta.say({ kind: "connect", host, family, port: 4711, address });
  if (greeting.kind !== "continue") return over("connect", greeting);
  await mta.say({ kind: "helo", name: helo });
  mta.macro("mail", [
    ["i", "4ATestId"],
    ...(login === null ? [] : [["{auth_authen}", login] as [string, string]]),
  ]);
  const { sender = "<someone@other.example>", recipients = ["<user@example.org>"] } = mail;
  const begun = await mta.say({ kind: "mail", sender, parameters: [] });
  if (begun.kind !== "continue") return over("mail", begun);
  for (const recipient of recipients) {
    mta.macro("rcpt", [["{rcpt_addr}", recipient.replaceAll(/[<>]/g, "")]]);
    const answer = await mta.say({ kind: "rcpt", recipient, parameters: [] });
    if (answer.kind !== "continue") refusedRecipients.push(textOf(answer));
  }
  if (recipients.length > 0 && refusedRecipients.length === recipients.length) {
    return { stage: "rcpt", answer: refusedRecipients[0] ?? "", refusedRecipients };
  }
  for (const [name, value] of mail.headers ?? []) await mta.say({ kind: "header", name, value: ` ${value}` });
  const headed = await mta.say({ kind: "endOfHeaders" });
  if (headed.kind !== "continue") return over("endOfHeaders", headed);
  await mta.say({ kind: "body", bytes: Buffer.from(mail.body ?? "text\r\n") });
  const { verdict, modifications } = await mta.endOfBody("4ATestId");
  if (verdict.kind === "accept" && modifications.length > 0)
    return { ...over("endOfBody", verdict), answer: "scanned" };
  return over("endOfBody", verdict);
}
