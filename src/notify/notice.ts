import { type ComposedMail, composeMail, type Stamp } from "./compose.ts";
import { addressField, domainOf, type Field, fromField, textField } from "./header-field.ts";
import type { Incident, NoticeRules } from "./incident.ts";
import { type NoticeFacts, noticeSubject, noticeText, virusNames } from "./notice-text.ts";
import type { NoticeRecipients } from "./recipients.ts";
import { mailableAddress, shownText } from "./safe-text.ts";
import { expandTemplate } from "./template.ts";
import { takesUtf8 } from "./template-headers.ts";

/** The administrator's own text (man page: --template-file, --template-headers); one character a byte. */
export interface NoticeTemplate {
  readonly text: string;
  readonly fields: readonly Field[];
}

/** A notice, and what is wrong with its template. */
export interface Notice extends ComposedMail {
  readonly complaints: readonly string[];
}

/**
 * A notice of an infected message.
 * @param template null: the built-in text
 */
export function composeNotice(
  incident: Incident,
  recipients: NoticeRecipients,
  rules: NoticeRules,
  facts: NoticeFacts,
  template: NoticeTemplate | null,
  stamp: Stamp,
): Notice {
  const host = hostOf(incident, stamp);
  const own = template?.fields ?? [];
  const replaced = new Set(own.map(([name]) => name.toLowerCase()));
  const fields: Field[] = [
    fromField(sourceOf(incident, rules), host),
    addressField("To", recipients.to, host),
    ...(recipients.cc.length > 0 ? [addressField("Cc", recipients.cc, host)] : []),
    ...(incident.clientWords === ""
      ? []
      : [textField("X-Infected-Received-From", shownText(incident.clientWords))]),
    textField("Subject", noticeSubject(incident)),
  ];
  const kept = fields.filter(([name]) => !replaced.has(name.toLowerCase()));
  const { text, complaints } = bodyOf(incident, rules, facts, template);
  return { ...composeMail([...kept, ...own], text, { ...stamp, host }), complaints };
}

/** The host that a mail of ours is from: the MTA's name for itself, if it is one, else ours. */
export function hostOf(incident: Incident, stamp: Stamp): string {
  return domainOf(incident.mtaHost === "" ? stamp.host : incident.mtaHost);
}

/** Whom a notice is from: --from, or the sender of the message, who may be nobody. */
function sourceOf(incident: Incident, rules: NoticeRules): string {
  if (rules.from !== "") return rules.from;
  return mailableAddress(incident.sender) ?? "MAILER-DAEMON";
}

function bodyOf(
  incident: Incident,
  rules: NoticeRules,
  facts: NoticeFacts,
  template: NoticeTemplate | null,
): { readonly text: Buffer; readonly complaints: readonly string[] } {
  if (template === null) return { text: Buffer.from(noticeText(incident, rules, facts)), complaints: [] };
  // What is put in is UTF-8 where the template's character set is, else what every character set has.
  const utf8 = takesUtf8(template.fields);
  const inserted = (text: string): string =>
    utf8 ? Buffer.from(text).toString("latin1") : text.replaceAll(/[^\n\t -~]/gu, "?");
  const { text, complaints } = expandTemplate(template.text.replaceAll("\r\n", "\n"), {
    virus: inserted(virusNames(incident)),
    headers: inserted(facts.header ?? ""),
    macro: (name) => {
      const value = Object.hasOwn(incident.macros, name) ? incident.macros[name] : undefined;
      return value === undefined ? null : inserted(shownText(value, 1000));
    },
  });
  return { text: Buffer.from(text, "latin1"), complaints };
}
