import type { Modification } from "../milter/replies.ts";
import { headerText } from "./header-value.ts";
import type { MessageFacts, ResponseRules } from "./rules.ts";

const STATUS = "X-Virus-Status";
const SCANNED = "X-Virus-Scanned";
/** Characters of names in a subject, as in the classic (CB 6.4). */
const LONGEST_SUBJECT_NAME = 127;
/** Characters of a value that is kept under another name: a line can have 998. */
const LONGEST_ORIGINAL = 900;

/** A header line that is added, its value with a blank of its own where the MTA brings none. */
function added(name: string, value: string, facts: MessageFacts): Modification {
  return { kind: "addHeader", name, value: (facts.leadingSpace ? " " : "") + value };
}

/** The sender's status headers away, highest index first, then ours (order of CB 14). */
export function statusMarks(
  status: string,
  scanned: string | null,
  rules: ResponseRules,
  facts: MessageFacts,
): Modification[] {
  if (!rules.addHeaders) return [];
  const changes: Modification[] = [];
  if (facts.mayChangeHeaders) {
    for (let index = facts.statusHeaders; index >= 1; index--) {
      changes.push({ kind: "changeHeader", index, name: STATUS, value: "" });
    }
  }
  if (facts.mayAddHeaders) {
    if (scanned !== null) changes.push(added(SCANNED, scanned, facts));
    changes.push(added(STATUS, headerText(status), facts));
  }
  return changes;
}

/** The virus in the subject, the old subject beside it (CB 6.4). */
export function subjectMarks(names: string, facts: MessageFacts): Modification[] {
  const subject = `[Virus] ${headerText(names, LONGEST_SUBJECT_NAME)}`;
  if (facts.subject === null) return [added("Subject", subject, facts)];
  const value = (facts.leadingSpace ? " " : "") + subject;
  return [
    added("X-Original-Subject", headerText(facts.subject, LONGEST_ORIGINAL), facts),
    { kind: "changeHeader", index: 1, name: "Subject", value },
  ];
}

/** Every recipient away, each told in a header line; the quarantine address in their place (CB 6.5). */
export function redirection(address: string, facts: MessageFacts): Modification[] {
  const bare = (path: string): string => path.replace(/^<(.*)>$/s, "$1");
  const isTarget = (path: string): boolean => bare(path).toLowerCase() === address.toLowerCase();
  const changes = facts.recipients.flatMap((recipient): Modification[] => [
    // Deleting and adding one and the same address could leave nobody.
    ...(isTarget(recipient) ? [] : [{ kind: "deleteRecipient", recipient } as const]),
    added("X-Original-To", headerText(bare(recipient), LONGEST_ORIGINAL), facts),
  ]);
  if (!facts.recipients.some(isTarget)) changes.push({ kind: "addRecipient", recipient: `<${address}>` });
  return changes;
}
