import { type Incident, SITUATIONS, type Situation } from "../notify/incident.ts";
import type { ReportKind } from "../notify/report.ts";

/**
 * What has to be on the disk before a message is answered: a copy, notices, reports. The message itself comes as a
 * descriptor, under the request's id.
 */
export interface KeepOrder extends Omit<Incident, "situation"> {
  /** What notices tell; null: there are none. */
  readonly notice: Situation | null;
  readonly reports: readonly ReportKind[];
  /** Whether a copy goes into the quarantine directory. */
  readonly store: boolean;
  /** Whether the infection is told by broadcast. */
  readonly broadcast: boolean;
  /** Bytes of the message. */
  readonly size: number;
  /** Bytes of our own in front of it. */
  readonly skip: number;
  /** The header lines that the MTA is told to add, for the description beside the copy. */
  readonly added: readonly string[];
}

/** From a child to the keeper, about infected mail and about our own. */
export type NoticeRequest =
  | {
      readonly type: "keep";
      readonly id: number;
      readonly order: KeepOrder;
      /** Whether the message comes as a descriptor under the request's id. */
      readonly message: boolean;
    }
  /** Whether a client may send mail of a domain. */
  | {
      readonly type: "spf";
      readonly id: number;
      readonly address: string;
      readonly sender: string;
      readonly helo: string;
    }
  /** Whether a message with this code is our own. */
  | {
      readonly type: "own";
      readonly id: number;
      readonly code: string;
      readonly messageId: string;
      readonly recipients: readonly string[];
    }
  /** The texts that children need of files outside of the jail; they come whenever they change. */
  | { readonly type: "texts" };

/** What children need of files outside of the jail. */
export interface MailTexts {
  /** What is added to clean mail; null: nothing. */
  readonly signature: string | null;
  /** Macros that the template of notices names, without braces. */
  readonly macros: readonly string[];
  /** Whether notices show the header of the message. */
  readonly wantsHeaders: boolean;
}

/** From the keeper to a child. */
export type NoticeAnswer =
  /** An answer in a word: where a message is kept, an SPF result, `yes` or `no`. */
  | { readonly type: "told"; readonly id: number; readonly text: string }
  | ({ readonly type: "texts" } & MailTexts);

/** Bounds of the texts in a message, in characters; together they fit into the channel's. */
const TEXT = 1024;
const CODE = 16_384;
const LIST_ENTRIES = 1000;
const LIST_LENGTH = 64 * 1024;
const MACROS = 64;
const SIGNATURE = 64 * 1024;
const REPORTS: readonly unknown[] = ["phish", "falsePositive"] satisfies ReportKind[];

type Fields = Readonly<Record<string, unknown>>;

/** The request if it is one of these and every field is sound, else null. */
export function checkNoticeRequest(message: Fields): NoticeRequest | null {
  const { type, id, order } = message;
  if (type === "texts") return { type };
  if (!isCount(id)) return null;
  if (type === "keep") {
    const known = checkKeepOrder(order);
    const passed = message.message;
    return known === null || typeof passed !== "boolean" ? null : { type, id, order: known, message: passed };
  }
  if (type === "spf") {
    const { address, sender, helo } = message;
    if (!isText(address) || !isText(sender) || !isText(helo)) return null;
    return { type, id, address, sender, helo };
  }
  if (type === "own") {
    const { code, messageId, recipients } = message;
    if (!isText(code, CODE) || !isText(messageId) || !isList(recipients)) return null;
    return { type, id, code, messageId, recipients };
  }
  return null;
}

function checkKeepOrder(value: unknown): KeepOrder | null {
  if (typeof value !== "object" || value === null) return null;
  const order = value as Fields;
  const { queueId, sender, clientHost, clientAddress, clientWords, origin, mtaHost } = order;
  if (!isText(queueId) || !isText(sender) || !isText(clientHost) || !isText(clientAddress)) return null;
  if (!isText(clientWords) || !isText(origin) || !isText(mtaHost)) return null;
  const { recipients, recipientCount, names, added, macros, reports, notice } = order;
  if (!isList(recipients) || !isList(names) || !isList(added) || !isCount(recipientCount)) return null;
  if (!isMacros(macros) || !Array.isArray(reports) || !reports.every((kind) => REPORTS.includes(kind)))
    return null;
  const situation = SITUATIONS.find((each) => each === notice) ?? null;
  const { store, broadcast, size, skip } = order;
  if (notice !== null && situation === null) return null;
  if (typeof store !== "boolean" || typeof broadcast !== "boolean" || !isCount(size) || !isCount(skip))
    return null;
  return {
    queueId,
    sender,
    clientHost,
    clientAddress,
    clientWords,
    origin,
    mtaHost,
    recipients,
    recipientCount,
    names,
    added,
    macros,
    reports: reports as ReportKind[],
    notice: situation,
    store,
    broadcast,
    size,
    skip,
  };
}

/** The answer if it is one of these, else null. */
export function checkNoticeAnswer(message: Fields): NoticeAnswer | null {
  const { type, id, text, signature, macros, wantsHeaders } = message;
  if (type === "told" && isCount(id) && isText(text, 8192)) return { type, id, text };
  if (type === "texts" && (signature === null || isText(signature, SIGNATURE)) && isList(macros)) {
    return { type, signature, macros, wantsHeaders: wantsHeaders === true };
  }
  return null;
}

/** As many of the texts as fit into a message, each within its bound. */
export function withinBounds(texts: readonly string[]): string[] {
  let room = LIST_LENGTH;
  const kept: string[] = [];
  for (const text of texts.slice(0, LIST_ENTRIES)) {
    const cut = text.slice(0, TEXT);
    // As it travels: a control character has six bytes there.
    room -= Buffer.byteLength(JSON.stringify(cut));
    if (room < 0) break;
    kept.push(cut);
  }
  return kept;
}

/** Macros within the bounds. */
export function boundedMacros(macros: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(macros);
  const values = withinBounds(entries.map(([, value]) => value));
  return Object.fromEntries(entries.slice(0, values.length).map(([name], at) => [name, values[at] ?? ""]));
}

/** A text within its bound. */
export function bounded(text: string): string {
  return text.slice(0, TEXT);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isText(value: unknown, longest = TEXT): value is string {
  return typeof value === "string" && value.length <= longest;
}

function isList(value: unknown): value is readonly string[] {
  if (!Array.isArray(value) || value.length > LIST_ENTRIES) return false;
  if (!value.every((text) => isText(text))) return false;
  return value.reduce((length: number, text: string) => length + text.length, 0) <= LIST_LENGTH;
}

function isMacros(value: unknown): value is Readonly<Record<string, string>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return entries.length <= MACROS && entries.every(([name, text]) => name.length <= TEXT && isText(text));
}
