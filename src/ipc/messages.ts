import type { AccessRules } from "../access/access-file.ts";
import type { AccessTables } from "../access/decide.ts";
import type { ScannerHealth } from "../clamd/health.ts";
import type { ScannerWatchState } from "../clamd/outage.ts";
import type { Settings } from "../config/settings.ts";
import type { LogFields, LogLevel } from "../log/event.ts";
import { checkFromEngine, type FromEngine } from "./engine-messages.ts";
import {
  checkNoticeAnswer,
  checkNoticeRequest,
  type NoticeAnswer,
  type NoticeRequest,
} from "./notice-messages.ts";
import {
  type BlackHoleRequest,
  type BlacklistFromChild,
  type BlacklistToChild,
  checkBlackHoleRequest,
  checkPolicyAnswer,
  checkPolicyFromRole,
  type PeersFromKeeper,
  type PolicyAnswer,
} from "./policy-messages.ts";
import { checkScannerReport, type ScannerReport } from "./scanner-messages.ts";
import { checkSlotReport, type SlotReport, type SlotWord } from "./slot-messages.ts";

/** From the supervisor to every role. */
export type ToRole =
  /** To be answered with `pong`: who does not is replaced. */
  | { readonly type: "ping" }
  /** New settings, after SIGHUP. */
  | { readonly type: "settings"; readonly settings: Settings };

/** From the supervisor to a child. */
export type ToChild =
  | ToRole
  | SlotWord
  | BlacklistToChild
  /** What is known of the servers now, all of them. */
  | { readonly type: "scanners"; readonly scanners: readonly ScannerHealth[] }
  | { readonly type: "start"; readonly settings: Settings; readonly options: ChildOptions }
  /** Two descriptors under `number` are the channel to the keeper and the way by which it passes descriptors. */
  | { readonly type: "keeper"; readonly number: number }
  /** Hashes of messages that no scanner gets through with, for some minutes. */
  | { readonly type: "endless"; readonly hashes: readonly string[] }
  /** Whether to accept connexions; a child that was told nothing does. */
  | { readonly type: "accept"; readonly on: boolean }
  /** Accept nothing more, give the messages in scanning their verdicts, then end. */
  | { readonly type: "drain" };

/** What one child is told besides the settings. */
export interface ChildOptions {
  /** Descriptors of the listening sockets. */
  readonly listeners: readonly number[];
  /** MTA connexions that this child may hold. */
  readonly maxConnexions: number;
  /** Bytes of messages that this child may hold in memory. */
  readonly messageMemory: number;
  /** This host's name, for the headers. */
  readonly hostName: string;
  /** The directory that becomes the child's root, or null. */
  readonly jail: string | null;
  /** What is known of the servers when the child starts. */
  readonly scanners: readonly ScannerHealth[];
}

/** From the supervisor to the keeper. */
export type ToKeeper =
  | ToRole
  | {
      readonly type: "start";
      readonly settings: Settings;
      /** What the keeper before this one knew of the servers. */
      readonly scanners: ScannerWatchState;
      /** Whether a socket for broadcasts is the first descriptor that it has inherited. */
      readonly broadcast: boolean;
    }
  /** Two descriptors under `number` are the channel of a child and the way by which it is passed descriptors. */
  | { readonly type: "child"; readonly number: number }
  /** The log files were moved away: open them anew. */
  | { readonly type: "reopenLogs" }
  | { readonly type: "end" };

/** From a role to the supervisor. */
export type FromRole =
  | { readonly type: "ready" }
  | { readonly type: "pong" }
  /** From the engine only. */
  | FromEngine
  /** From children only. */
  | SlotReport
  | BlacklistFromChild
  /** From the keeper only. */
  | ScannerReport
  | PeersFromKeeper
  /** The hash of a message that no scanner gets through with (from a child). */
  | { readonly type: "endless"; readonly hash: string }
  /** A child has no link to the keeper: what was passed did not arrive. */
  | { readonly type: "unlinked" }
  /** A child has so many connexions that others are to share them, or no longer. */
  | { readonly type: "crowded"; readonly crowded: boolean }
  /** It cannot go on, and ends. */
  | { readonly type: "failed"; readonly reason: string };

/** From a child to the keeper. */
export type ChildRequest =
  | NoticeRequest
  | BlackHoleRequest
  /** A connexion to the server of that name in the settings. Milliseconds. */
  | { readonly type: "connect"; readonly id: number; readonly server: string; readonly deadline: number }
  /** A scan failed at the server of that name: it is to be looked at now. */
  | { readonly type: "trouble"; readonly server: string }
  /** An empty file without a name. */
  | { readonly type: "spool"; readonly id: number }
  /** The verified name of an address, without a zone. */
  | { readonly type: "name"; readonly id: number; readonly address: string }
  /** The access tables are needed: somebody has come in by TCP. */
  | { readonly type: "access" }
  | { readonly type: "log"; readonly lines: readonly LogLine[] };

/** One entry of a child's log. */
export interface LogLine {
  readonly level: LogLevel;
  readonly text: string;
  readonly fields?: LogFields;
}

/** From the keeper to a child: what became of a request; the descriptor comes under the request's id. */
export type KeeperAnswer =
  | NoticeAnswer
  | PolicyAnswer
  | { readonly type: "done"; readonly id: number }
  /** What `verifyName` made of an address. */
  | { readonly type: "name"; readonly id: number; readonly name: string }
  /** hosts.allow and hosts.deny as they are now; comes whenever they change. */
  | { readonly type: "access"; readonly access: AccessState }
  | { readonly type: "failed"; readonly id: number; readonly reason: string };

/** All that a decision about a peer depends on, but for the peer. A plain JSON value. */
export interface AccessState {
  readonly tables: AccessTables;
  /** As `AccessExtras` has them. */
  readonly files: Readonly<Record<string, string | null>>;
  readonly netgroups: Readonly<Record<string, readonly string[]>>;
}

/** An IPv4 or IPv6 address, roughly: a look-up tells whether it is one. */
const ADDRESS = /^[0-9a-f:.]{2,45}$/i;
/** SHA-256. */
const HASH = /^[0-9a-f]{64}$/;
/** A host name can have 253 characters. */
const MAX_NAME = 255;
/** The longest entry that a child may have the keeper write, in characters. */
const MAX_LOG_TEXT = 16_384;
const MAX_REASON = 1000;
/** Fields within fields. */
const FIELD_DEPTH = 2;
const LEVELS: readonly unknown[] = ["error", "warning", "info", "verbose"];

function typeOf(message: unknown): unknown {
  return typeof message === "object" && message !== null && "type" in message ? message.type : undefined;
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value < 2 ** 32;
}

/** The message if it is one that a role may send, else null. */
export function checkFromRole(message: unknown): FromRole | null {
  if (typeof message !== "object" || message === null) return null;
  const { type, reason, hash, crowded } = message as Record<string, unknown>;
  if (type === "crowded" && typeof crowded === "boolean") return { type, crowded };
  if (type === "slots") return checkSlotReport(message as Record<string, unknown>);
  if (type === "scanners") return checkScannerReport(message);
  if (type === "failed" && typeof reason === "string") return { type, reason: reason.slice(0, MAX_REASON) };
  if (type === "endless" && typeof hash === "string" && HASH.test(hash)) return { type, hash };
  if (type === "ready" || type === "pong" || type === "unlinked") return { type };
  return checkFromEngine(message) ?? checkPolicyFromRole(message);
}

/**
 * The message if it is one that a child may send to the keeper, else null. A child may have been taken over by
 * what it reads: every field is looked at.
 */
export function checkChildRequest(message: unknown): ChildRequest | null {
  if (typeof message !== "object" || message === null) return null;
  const { type, id, server, deadline, lines, address } = message as Record<string, unknown>;
  if (type === "connect" && isNumber(id) && typeof server === "string" && isNumber(deadline)) {
    return { type, id, server, deadline };
  }
  if (type === "trouble" && typeof server === "string") return { type, server };
  if (type === "spool" && isNumber(id)) return { type, id };
  if (type === "name" && isNumber(id) && typeof address === "string" && ADDRESS.test(address)) {
    return { type, id, address };
  }
  if (type === "access") return { type };
  if (type === "log" && Array.isArray(lines) && lines.every(isLogLine)) return { type, lines };
  return checkBlackHoleRequest(message) ?? checkNoticeRequest(message as Record<string, unknown>);
}

function isLogLine(value: unknown): value is LogLine {
  if (typeof value !== "object" || value === null) return false;
  const { level, text, fields } = value as Record<string, unknown>;
  if (!LEVELS.includes(level) || typeof text !== "string" || text.length > MAX_LOG_TEXT) return false;
  return fields === undefined || areFields(fields, 1);
}

function areFields(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value) || depth > FIELD_DEPTH)
    return false;
  return Object.values(value).every((part) => {
    if (part === null || ["string", "number", "boolean"].includes(typeof part)) return true;
    if (Array.isArray(part)) return part.every((entry) => typeof entry === "string");
    return areFields(part, depth + 1);
  });
}

/** The message if it is one of the keeper's, else null. */
export function checkKeeperAnswer(message: unknown): KeeperAnswer | null {
  if (typeof message !== "object" || message === null) return null;
  const { type, id, reason, name, access } = message as Record<string, unknown>;
  if (type === "done" && isNumber(id)) return { type, id };
  if (type === "failed" && isNumber(id) && typeof reason === "string") return { type, id, reason };
  if (type === "name" && isNumber(id) && typeof name === "string" && name.length <= MAX_NAME) {
    return { type, id, name };
  }
  if (type === "access" && isAccessState(access)) return { type, access };
  return checkPolicyAnswer(message) ?? checkNoticeAnswer(message as Record<string, unknown>);
}

function isAccessState(value: unknown): value is AccessState {
  if (!isRecord(value) || !isRecord(value.tables)) return false;
  const { tables, files, netgroups } = value;
  return (
    isAccessRules(tables.allow) &&
    isAccessRules(tables.deny) &&
    isRecord(files) &&
    Object.values(files).every((text) => text === null || typeof text === "string") &&
    isRecord(netgroups) &&
    Object.values(netgroups).every(areStrings)
  );
}

function isAccessRules(value: unknown): value is AccessRules {
  if (!isRecord(value) || typeof value.fileName !== "string" || !areStrings(value.warnings)) return false;
  const { rules, broken } = value;
  const soundEnd = broken === null || (isRecord(broken) && isNumber(broken.line) && isText(broken.reason));
  return soundEnd && Array.isArray(rules) && rules.every(isAccessRule);
}

function isAccessRule(value: unknown): boolean {
  if (!isRecord(value) || !isNumber(value.line)) return false;
  const { daemons, clients, options } = value;
  return areStrings(daemons) && areStrings(clients) && (options === null || isText(options));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function areStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every(isText);
}

const TO_CHILD: readonly unknown[] = [
  "ping",
  "settings",
  "start",
  "keeper",
  "drain",
  "accept",
  "scanners",
  "endless",
  "slots",
  "blacklist",
  "unblacklist",
];
const TO_KEEPER: readonly unknown[] = ["ping", "settings", "start", "child", "reopenLogs", "end"];

/** The message if it is one of the supervisor's, else null. The supervisor is trusted: only the type is checked. */
export function checkToChild(message: unknown): ToChild | null {
  return TO_CHILD.includes(typeOf(message)) ? (message as ToChild) : null;
}

/** The same for the keeper. */
export function checkToKeeper(message: unknown): ToKeeper | null {
  return TO_KEEPER.includes(typeOf(message)) ? (message as ToKeeper) : null;
}
