import { type ComposedMail, composeMail, type Stamp } from "./compose.ts";
import { addressField, domainOf, fromField, textField } from "./header-field.ts";
import type { NoticeRules } from "./incident.ts";
import { oneLineText, shownText } from "./safe-text.ts";

/** What was not told one by one. A plain JSON value. */
export interface Omitted {
  /** When the first was left out: milliseconds since 1970. */
  readonly since: number;
  /** Notices and reports that nobody got. */
  readonly mails: number;
  /** Recipients who were left out of a notice that others got. */
  readonly recipients: number;
  /** How often each name was found, the first few names. */
  readonly names: readonly (readonly [name: string, count: number])[];
  /** Queue ids of the first few. */
  readonly queueIds: readonly string[];
}

/** Names and queue ids that a digest remembers. */
const MOST_NAMES = 50;
const MOST_IDS = 50;

export function nothingOmitted(now: number): Omitted {
  return { since: now, mails: 0, recipients: 0, names: [], queueIds: [] };
}

/** What was omitted, with one more. @param recipients who were left out while others got it; 0: nobody got it */
export function omitting(
  before: Omitted,
  names: readonly string[],
  queueId: string,
  recipients: number,
): Omitted {
  const counts = new Map(before.names);
  for (const name of names.slice(0, MOST_NAMES)) {
    const shown = shownText(name, 200);
    const count = counts.get(shown);
    if (count !== undefined || counts.size < MOST_NAMES) counts.set(shown, (count ?? 0) + 1);
  }
  const { queueIds } = before;
  return {
    since: before.since,
    mails: before.mails + (recipients === 0 ? 1 : 0),
    recipients: before.recipients + recipients,
    names: [...counts],
    queueIds: queueIds.length < MOST_IDS ? [...queueIds, shownText(queueId, 60)] : queueIds,
  };
}

/** The mail to the postmaster about what was not told one by one. */
export function composeDigest(omitted: Omitted, rules: NoticeRules, stamp: Stamp): ComposedMail {
  const names = omitted.names.map(([name, count]) => `    ${count} x ${oneLineText(name)}`);
  const host = domainOf(stamp.host);
  const parts = [
    "More infected mail came than this program sends notices about in an hour.",
    `Since ${new Date(omitted.since).toISOString()} these were left out:`,
    `    ${omitted.mails} notices or reports that nobody got\n    ${omitted.recipients} recipients of notices that others got`,
    `Names that were found (${names.length === MOST_NAMES ? "the first ones" : "all"}):`,
    names.join("\n"),
    "Queue IDs of the first messages; the log has all of them:",
    omitted.queueIds.map((id) => `    ${oneLineText(id)}`).join("\n"),
  ];
  const count = omitted.mails + omitted.recipients;
  return composeMail(
    [
      fromField(rules.from === "" ? "MAILER-DAEMON" : rules.from, host),
      addressField("To", [rules.postmaster], host),
      textField("Subject", `Infected mail: ${count} notices were left out`),
    ],
    Buffer.from(`${parts.join("\n\n")}\n`),
    stamp,
  );
}
