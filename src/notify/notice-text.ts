import type { Incident, NoticeRules, Situation } from "./incident.ts";
import { bareAddress, shownText } from "./safe-text.ts";

/** Recipients and names that a notice lists; more are counted. */
const MOST_LISTED = 50;

/** What notices tell besides the incident. */
export interface NoticeFacts {
  /** Where the message is kept, or null. */
  readonly keptAs: string | null;
  /** The header of the message, ready to be shown, or null when it is not to be shown. */
  readonly header: string | null;
}

const SUBJECTS: Readonly<Record<Situation, string>> = {
  refused: "Infected mail refused",
  discarded: "Infected mail thrown away",
  redirected: "Infected mail redirected",
  delivered: "Infected mail delivered with a mark",
};

const OUTCOMES: Readonly<Record<Situation, string>> = {
  refused: "It was refused: nothing of it was delivered, and the server that brought it was told why.",
  discarded: "It was thrown away: nothing of it was delivered, and the server that brought it was not told.",
  redirected: "It went to this site's quarantine mailbox in place of its recipients.",
  delivered: "It was DELIVERED, with a mark in its subject. Do not open what is attached to it.",
};

/** The subject of a notice. */
export function noticeSubject(incident: Incident): string {
  return `${SUBJECTS[incident.situation]}: ${virusNames(incident)}`;
}

/** The names of what was found, in one line. */
export function virusNames(incident: Incident): string {
  return incident.names
    .slice(0, MOST_LISTED)
    .map((name) => shownText(name, 200))
    .join(", ");
}

/** The body of a notice without a template (items of CB 7.3), with LF line ends. */
export function noticeText(incident: Incident, rules: NoticeRules, facts: NoticeFacts): string {
  const parts = [
    opening(incident, rules),
    listed(incident.names.map((name) => shownText(name, 200))),
    `It was addressed to:`,
    listed(
      incident.recipients.map((path) => shownText(bareAddress(path))),
      incident.recipientCount,
    ),
    OUTCOMES[incident.situation],
    ...(facts.keptAs === null
      ? []
      : [`A copy is kept in this file:\n\n    ${shownText(facts.keptAs, 1000)}`]),
    `It was brought by ${clientText(incident)}.`,
    ...(facts.header === null ? originPart(incident) : [headerPart(incident, facts.header)]),
    "No person has written this notice; the virus filter of the mail server sends it.",
  ];
  return `${parts.join("\n\n")}\n`;
}

function opening(incident: Incident, rules: NoticeRules): string {
  const sender = senderText(incident);
  if (rules.bounce) return `A message that names you (${sender}) as its sender is infected:`;
  if (rules.postmasterOnly) {
    return `The message with the queue ID ${shownText(incident.queueId)} from ${sender} is infected:`;
  }
  return `A message from ${sender} is infected:`;
}

function senderText(incident: Incident): string {
  const sender = shownText(bareAddress(incident.sender));
  return sender === "" ? "nobody (the null sender)" : `<${sender}>`;
}

function clientText({ clientHost, clientAddress }: Incident): string {
  const host = shownText(clientHost);
  return clientAddress === "" ? host || "a program on this machine" : `${host} [${shownText(clientAddress)}]`;
}

/** Who sees no header learns at least which machine may be infected. */
function originPart({ origin }: Incident): string[] {
  if (origin === "") return [];
  return [
    `The infected machine may be the one of this line of its header:\n\n    ${shownText(origin, 1000)}`,
  ];
}

function headerPart(incident: Incident, header: string): string {
  const server = shownText(incident.mtaHost) || "the mail server";
  const words = shownText(incident.clientWords) || clientText(incident);
  const from = senderText(incident);
  return `This is its header, as ${server} had it from ${from} by way of ${words}:\n\n${header.trimEnd()}`;
}

function listed(texts: readonly string[], count = texts.length): string {
  const shown = texts.slice(0, MOST_LISTED).map((text) => `    ${text}`);
  if (count > shown.length) shown.push(`    and ${count - shown.length} more`);
  return shown.join("\n");
}

/** Bytes of a header that a notice shows, and lines. */
const LONGEST_HEADER = 256 * 1024;
const LONGEST_LINE = 900;

/** The header of a message, cut from its beginning, for a notice: one character a byte becomes readable text. */
export function shownHeader(message: Uint8Array): string {
  const start = Buffer.from(message.subarray(0, LONGEST_HEADER)).toString("latin1");
  const end = start.search(/\r?\n\r?\n/);
  const lines = (end < 0 ? start : start.slice(0, end)).split(/\r?\n/);
  return lines.map((line) => indentOf(line) + shownText(line, LONGEST_LINE)).join("\n");
}

/** A folded line shows that it is one. */
function indentOf(line: string): string {
  return /^[ \t]/.test(line) ? "\t" : "";
}
