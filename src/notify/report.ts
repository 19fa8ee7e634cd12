import { type ComposedMail, composeMail, type Stamp } from "./compose.ts";
import { addressField, type Field, fromField, textField } from "./header-field.ts";
import type { Incident, NoticeRules } from "./incident.ts";
import { hostOf } from "./notice.ts";
import { virusNames } from "./notice-text.ts";

/** Why a message is reported (man page: -r, -R). */
export type ReportKind = "phish" | "falsePositive";

const SUBJECTS: Readonly<Record<ReportKind, string>> = {
  phish: "Phishing mail",
  falsePositive: "False alarm about phishing",
};

const TEXTS: Readonly<Record<ReportKind, string>> = {
  phish: "The attached message was caught as phishing.",
  falsePositive:
    "The attached message was called phishing, but SPF shows that the domain of its author has sent it.",
};

/** A line that a message/rfc822 part cannot have, for it must not be encoded (RFC 2046, 5.2.1; RFC 5322, 2.1.1). */
const LONGEST_LINE = 998;

/**
 * A report with the whole message attached. One that would not survive the way as it is (NUL, bare CR, very long
 * lines) is attached as a file in base64.
 * @param message with CRLF line ends
 */
export function composeReport(
  kind: ReportKind,
  incident: Incident,
  address: string,
  rules: NoticeRules,
  message: Buffer,
  stamp: Stamp,
): ComposedMail {
  const host = hostOf(incident, stamp);
  const boundary = `=_${stamp.token}_${stamp.time.toString(36)}`;
  const fields: Field[] = [
    fromField(rules.postmaster, host),
    addressField("To", [address], host),
    textField("Subject", `${SUBJECTS[kind]}: ${virusNames(incident)}`),
    ["Content-Type", `multipart/mixed;\n boundary="${boundary}"`],
  ];
  const part = attachment(message);
  const eightBit = part.encoding === "8bit" ? "8bit" : "7bit";
  const text = `${TEXTS[kind]}\nIt was found to be: ${virusNames(incident)}\n`;
  const body = Buffer.concat([
    Buffer.from(`--${boundary}\nContent-Type: text/plain; charset=utf-8\n`),
    Buffer.from(`Content-Transfer-Encoding: 8bit\nContent-Disposition: inline\n\n${text}\n`),
    Buffer.from(`--${boundary}\nContent-Type: ${part.type}\nContent-Transfer-Encoding: ${part.encoding}\n`),
    Buffer.from(`Content-Disposition: attachment; filename="message.eml"\n\n`),
    part.bytes,
    Buffer.from(`\n--${boundary}--\n`),
  ]);
  const encoding: Field = ["Content-Transfer-Encoding", /[^\0-\x7f]/.test(text) ? "8bit" : eightBit];
  return composeMail([...fields, encoding], body, { ...stamp, host });
}

interface Attachment {
  readonly type: string;
  readonly encoding: "7bit" | "8bit" | "base64";
  /** With LF line ends. */
  readonly bytes: Buffer;
}

function attachment(message: Buffer): Attachment {
  const text = message.toString("latin1").replaceAll("\r\n", "\n");
  const travels = !/[\0\r]/.test(text) && !hasLongLine(text);
  if (travels) {
    const encoding = /[\x80-\xff]/.test(text) ? "8bit" : "7bit";
    return { type: "message/rfc822", encoding, bytes: Buffer.from(text, "latin1") };
  }
  const lines = message.toString("base64").match(/.{1,76}/g) ?? [];
  return {
    type: 'application/octet-stream; name="message.eml"',
    encoding: "base64",
    bytes: Buffer.from(lines.join("\n")),
  };
}

function hasLongLine(text: string): boolean {
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\n", at);
    if ((end < 0 ? text.length : end) - at > LONGEST_LINE) return true;
    if (end < 0) return false;
    at = end + 1;
  }
  return false;
}
