import type { Modification, Verdict } from "../milter/replies.ts";
import type { ScanVerdict } from "../scan/verdict.ts";
import { headerText, scannedBy } from "./header-value.ts";

/** The settings that shape a response. */
export interface ResponseRules {
  /** `--noxheader` not given. */
  readonly addHeaders: boolean;
  /** `--dont-scan-on-error`. */
  readonly acceptOnError: boolean;
  /** `--noreject`. */
  readonly discardInfected: boolean;
  /** `--on-oversize`. */
  readonly onOversize: "accept" | "tempfail" | "reject";
  readonly ourVersion: string;
}

/** What is known of the message, apart from the verdict. */
export interface MessageFacts {
  /** X-Virus-Status headers that the message came with. */
  readonly statusHeaders: number;
  /** Whether its Message-ID is one of MDaemon's. */
  readonly fromMdaemon: boolean;
  /** The host that `X-Virus-Scanned` names. */
  readonly host: string;
  /** Whether the MTA lets headers be added and be changed. */
  readonly mayAddHeaders: boolean;
  readonly mayChangeHeaders: boolean;
  /** Whether header values must bring their own leading blank (SMFIP_HDR_LEADSPC). */
  readonly leadingSpace: boolean;
}

/** What happened to the message, for the log. */
export type Outcome = "clean" | "rejected" | "discarded" | "not scanned" | "tempfailed";

/** Everything that follows from a verdict. */
export interface ResponsePlan {
  readonly modifications: readonly Modification[];
  readonly verdict: Verdict;
  readonly outcome: Outcome;
}

const STATUS = "X-Virus-Status";
const SCANNED = "X-Virus-Scanned";

/** The response to a verdict: a pure function, so that every case can be read in a table. */
export function planResponse(scan: ScanVerdict, rules: ResponseRules, facts: MessageFacts): ResponsePlan {
  switch (scan.kind) {
    case "clean":
      return {
        modifications: marks("Clean", scannedBy(scan.version, rules.ourVersion, facts.host), rules, facts),
        verdict: { kind: "accept" },
        outcome: "clean",
      };
    case "infected":
      return planInfected(scan.names, rules, facts);
    case "oversize":
      return planOversize(scan.reason, rules, facts);
    case "failed":
      if (!rules.acceptOnError) return TEMPFAIL;
      return acceptUnscanned(
        scan.header === null ? "Not Scanned" : `Not Scanned - ${scan.header}`,
        rules,
        facts,
      );
  }
}

const TEMPFAIL: ResponsePlan = {
  // No text of ours: the MTA's own is what the classic showed (sendmail: 451 4.3.2 Please try again later).
  modifications: [],
  verdict: { kind: "tempfail" },
  outcome: "tempfailed",
};

function planInfected(names: readonly string[], rules: ResponseRules, facts: MessageFacts): ResponsePlan {
  // MDaemon answers a refusal of its bounces with another bounce: refusing would keep both sides busy.
  if (rules.discardInfected || facts.fromMdaemon) {
    return { modifications: [], verdict: { kind: "discard" }, outcome: "discarded" };
  }
  const name = headerText(names.join(", "));
  return {
    modifications: [],
    verdict: {
      kind: "reply",
      code: 554,
      enhanced: "5.7.1",
      lines: [`virus ${name} detected by ClamAV - http://www.clamav.net`],
    },
    outcome: "rejected",
  };
}

/** Too large to scan: `--on-oversize` decides. The codes are RFC 3463's for a message that is too big for the system. */
function planOversize(reason: string, rules: ResponseRules, facts: MessageFacts): ResponsePlan {
  if (rules.onOversize === "accept") return acceptUnscanned(`Not Scanned - ${reason}`, rules, facts);
  const lines = ["message is too large to be scanned for viruses"];
  if (rules.onOversize === "reject") {
    return {
      modifications: [],
      verdict: { kind: "reply", code: 552, enhanced: "5.3.4", lines },
      outcome: "rejected",
    };
  }
  return {
    modifications: [],
    verdict: { kind: "reply", code: 452, enhanced: "4.3.4", lines },
    outcome: "tempfailed",
  };
}

/**
 * Lets a message through that no scanner has called clean. A status header of the sender's must not stay on it:
 * where the MTA does not let it be deleted, the message has to wait.
 */
function acceptUnscanned(status: string, rules: ResponseRules, facts: MessageFacts): ResponsePlan {
  if (rules.addHeaders && facts.statusHeaders > 0 && !facts.mayChangeHeaders) return TEMPFAIL;
  return {
    modifications: marks(status, null, rules, facts),
    verdict: { kind: "accept" },
    outcome: "not scanned",
  };
}

/** The sender's status headers away, highest index first, then ours (order of CB 14). */
function marks(
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
    const space = facts.leadingSpace ? " " : "";
    if (scanned !== null) changes.push({ kind: "addHeader", name: SCANNED, value: space + scanned });
    changes.push({ kind: "addHeader", name: STATUS, value: space + headerText(status) });
  }
  return changes;
}
