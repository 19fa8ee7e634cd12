import type { AccessRule, AccessRules } from "./access-file.ts";
import {
  type HostFacts,
  hostMatches,
  listMatches,
  type Match,
  type PatternSources,
  splitEndpoint,
  textMatches,
  UNKNOWN,
} from "./pattern.ts";
import { decideOptions } from "./rule-options.ts";

/** The daemon name that rules for this program have: man page, "tcpwrappers". */
export const DAEMON = "clamav-milter";

/** hosts.allow and hosts.deny. */
export interface AccessTables {
  readonly allow: AccessRules;
  readonly deny: AccessRules;
}

/** Who connects to us. */
export interface Peer {
  /** As inet_ntop(3) writes it; a zone (`%eth0`) may follow. IPv4 within IPv6 (`::ffff:192.0.2.1`) is IPv4. */
  readonly address: string;
  /** What `verifyName` gave, or `unknown` when a look-up took too long. */
  readonly name: string;
}

/** The end of the connexion that is ours, for `daemon@host` patterns and port numbers. */
export interface ServerEnd {
  readonly address: string;
  /** `unknown` unless told. */
  readonly name?: string;
  readonly port?: number;
}

/** What rules may refer to besides the peer. */
export interface AccessExtras {
  /** Contents of the files that `accessDependencies` names; null for one that does not exist. */
  readonly files?: Readonly<Record<string, string | null>>;
  /** Hosts of the netgroups that `accessDependencies` names; an empty text stands for every host. */
  readonly netgroups?: Readonly<Record<string, readonly string[]>>;
  /** Unknown unless told, which only `ALL` and `UNKNOWN` match. */
  readonly server?: ServerEnd;
}

/** Whether a peer may use this program, and why. */
export interface AccessDecision {
  readonly granted: boolean;
  /** `file:line` of the rule that decided; null when none did, and access is granted. */
  readonly rule: string | null;
  /** One for each thing of that rule that is ignored or wrong, with file and line. */
  readonly warnings: readonly string[];
}

interface Question {
  readonly peer: HostFacts;
  readonly server: HostFacts;
  readonly port: number | undefined;
  readonly extras: AccessExtras;
}

/**
 * Decides whether a peer may connect: hosts_access(5), "ACCESS CONTROL FILES": a rule of hosts.allow that matches
 * grants, otherwise one of hosts.deny denies, otherwise access is granted; options `allow` and `deny` win over that.
 * What cannot be decided because a file or netgroup is not known, and what has an error, denies. Decisions 4.
 */
export function decideAccess(tables: AccessTables, peer: Peer, extras: AccessExtras = {}): AccessDecision {
  return answer(tables, { address: peer.address, name: () => peer.name }, extras);
}

/**
 * Tells whether the decision for an address depends on the host's name, so that names are looked up only where
 * it matters.
 * @param extras the same as for the decision
 */
export function accessNeedsName(tables: AccessTables, address: string, extras: AccessExtras = {}): boolean {
  let asked = false;
  const name = (): string => {
    asked = true;
    return UNKNOWN;
  };
  answer(tables, { address, name }, extras);
  return asked;
}

/** Whether a pattern is for this program, the `@host` of it aside. A number is a port of ours: Debian's libwrap. */
export function isForUs(pattern: string, port: number | undefined): boolean {
  const number = daemonPort(pattern);
  return number === null ? textMatches(pattern, DAEMON) : number === port;
}

/** The port that a daemon pattern names; null when it is a name. */
export function daemonPort(pattern: string): number | null {
  return /^\+?\d+$/.test(pattern) && Number(pattern) <= 65_535 ? Number(pattern) : null;
}

function answer(tables: AccessTables, peer: HostFacts, extras: AccessExtras): AccessDecision {
  const { address = UNKNOWN, name = UNKNOWN, port } = extras.server ?? {};
  const question: Question = { peer, server: { address, name: () => name }, port, extras };
  return (
    answerOf(tables.allow, "allow", question) ??
    answerOf(tables.deny, "deny", question) ?? { granted: true, rule: null, warnings: [] }
  );
}

/** What one file says; null when it says nothing. */
function answerOf(file: AccessRules, meaning: "allow" | "deny", question: Question): AccessDecision | null {
  for (const rule of file.rules) {
    const decision = answerOfRule(rule, `${file.fileName}:${rule.line}`, meaning, question);
    if (decision !== null) return decision;
  }
  if (file.broken === null || meaning === "allow") return null;
  const { line, reason } = file.broken;
  const place = line === 0 ? file.fileName : `${file.fileName}:${line}`;
  return { granted: false, rule: place, warnings: [`${place}: ${reason}: access is denied`] };
}

function answerOfRule(
  rule: AccessRule,
  place: string,
  meaning: "allow" | "deny",
  question: Question,
): AccessDecision | null {
  const complaints: string[] = [];
  const { files = {}, netgroups = {} } = question.extras;
  const sources = { files, netgroups, complain: (sentence: string) => complaints.push(sentence) };
  const match = ruleMatches(rule, question, sources);
  if (match === "no") return null;
  const located = (sentences: readonly string[]): string[] => sentences.map((text) => `${place}: ${text}`);
  if (match === "unsure") {
    const warnings = located(complaints.map((sentence) => `${sentence}: access is denied`));
    return { granted: false, rule: place, warnings };
  }
  const { verdict, warnings } =
    rule.options === null ? { verdict: null, warnings: [] } : decideOptions(rule.options);
  return { granted: (verdict ?? meaning) === "allow", rule: place, warnings: located(warnings) };
}

function ruleMatches(rule: AccessRule, question: Question, sources: PatternSources): Match {
  const daemons = listMatches(rule.daemons, (token) => {
    const [daemon, host] = splitEndpoint(token);
    if (!isForUs(daemon, question.port)) return "no";
    return host === null ? "yes" : hostMatches(host, question.server, sources);
  });
  if (daemons === "no") return "no";
  const clients = listMatches(rule.clients, (token) => {
    const [user, host] = splitEndpoint(token);
    if (host === null) return hostMatches(token, question.peer, sources);
    // Nobody is asked who the user is.
    return textMatches(user, UNKNOWN) ? hostMatches(host, question.peer, sources) : "no";
  });
  return clients === "yes" ? daemons : clients;
}
