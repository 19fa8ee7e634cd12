import type { Modification, Verdict } from "../milter/replies.ts";
import type { Situation } from "../notify/incident.ts";
import type { ReportKind } from "../notify/report.ts";
import type { ScanVerdict } from "../scan/verdict.ts";
import { redirection, statusMarks, subjectMarks } from "./header-marks.ts";
import { headerText, scannedBy } from "./header-value.ts";
import type { MessageFacts, Outcome, ResponsePlan, ResponseRules } from "./rules.ts";

type Infected = Extract<ScanVerdict, { kind: "infected" }>;

/** What most plans have in common. */
const NOTHING_ELSE = { keep: false, notice: null, reports: [], alarm: false, sign: false } as const;

const TEMPFAIL: ResponsePlan = {
  // No text of ours: the MTA's own is what the classic showed (sendmail: 451 4.3.2 Please try again later).
  modifications: [],
  verdict: { kind: "tempfail" },
  outcome: "tempfailed",
  ...NOTHING_ELSE,
};

/** The response to a verdict: a pure function, so that every case can be read in a table. */
export function planResponse(scan: ScanVerdict, rules: ResponseRules, facts: MessageFacts): ResponsePlan {
  switch (scan.kind) {
    case "clean":
      return {
        modifications: statusMarks(
          "Clean",
          scannedBy(scan.version, rules.ourVersion, facts.host),
          rules,
          facts,
        ),
        verdict: { kind: "accept" },
        outcome: "clean",
        ...NOTHING_ELSE,
        sign: rules.sign && facts.mayChangeBody,
      };
    case "infected":
      return planInfected(scan, rules, facts);
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

/** What has to be stored could not be: the message must come again (decisions 5). */
export function planUnstored(): ResponsePlan {
  return TEMPFAIL;
}

/** Whether it must be known, for the plan, if the client may send mail of the author's domain (-R, decisions 6). */
export function needsSpf(scan: ScanVerdict, rules: ResponseRules): boolean {
  if (scan.kind !== "infected" || !rules.reportFalsePositives || scan.names.length === 0) return false;
  // A signature's word stands: SPF says who sent a mail, not what is in it.
  return scan.names.every((name) => name.startsWith("Heuristics.Phishing."));
}

/** The first that applies, and that the MTA lets be done: genuine after all, redirected, marked, stopped (CB 6.3). */
function planInfected(scan: Infected, rules: ResponseRules, facts: MessageFacts): ResponsePlan {
  const names = scan.names.join(", ");
  const scanned = scannedBy(scan.version, rules.ourVersion, facts.host);
  const marks = (status: string): Modification[] => statusMarks(status, scanned, rules, facts);
  if (facts.spfPass && needsSpf(scan, rules) && mayMark(rules, facts)) {
    return {
      modifications: marks(`Infected with ${headerText(names, 150)} (SPF pass, reported)`),
      verdict: { kind: "accept" },
      outcome: "delivered",
      ...NOTHING_ELSE,
      reports: ["falsePositive"],
    };
  }
  if (rules.quarantineAddress !== null && mayRedirect(facts)) {
    return infected(scan, rules, "redirected", "redirected", { kind: "accept" }, [
      ...marks(`Infected with ${names}`),
      ...redirection(rules.quarantineAddress, facts),
      ...subjectMarks(names, facts),
    ]);
  }
  if (rules.advisory && facts.mayAddHeaders && facts.mayChangeHeaders) {
    return infected(scan, rules, "delivered", "delivered", { kind: "accept" }, [
      ...marks(`Infected with ${names}`),
      ...subjectMarks(names, facts),
    ]);
  }
  // MDaemon answers a refusal of its bounces with another bounce: refusing would keep both sides busy.
  if (rules.discardInfected || facts.fromMdaemon) {
    return infected(scan, rules, "discarded", "discarded", { kind: "discard" });
  }
  const text = `virus ${headerText(names)} detected by ClamAV - http://www.clamav.net`;
  return infected(scan, rules, "rejected", "refused", reply(554, "5.7.1", text));
}

function infected(
  scan: Infected,
  rules: ResponseRules,
  outcome: Outcome,
  situation: Situation,
  verdict: Verdict,
  modifications: readonly Modification[] = [],
): ResponsePlan {
  const phish = scan.names.some((name) => name.includes("Phishing"));
  // What was delivered was not caught (CB 1.9).
  const reports: ReportKind[] = phish && rules.reportPhish && outcome !== "delivered" ? ["phish"] : [];
  return {
    modifications,
    verdict,
    outcome,
    keep: rules.keepInfected,
    notice: rules.notices ? situation : null,
    reports,
    alarm: true,
    sign: false,
  };
}

/** Whether our status is the only one that a message then has. */
function mayMark(rules: ResponseRules, facts: MessageFacts): boolean {
  return !rules.addHeaders || (facts.mayAddHeaders && (facts.statusHeaders === 0 || facts.mayChangeHeaders));
}

function mayRedirect(facts: MessageFacts): boolean {
  const granted =
    facts.mayAddRecipients && facts.mayDeleteRecipients && facts.mayAddHeaders && facts.mayChangeHeaders;
  // One that is not known by name could not be deleted, and would get the virus.
  return granted && facts.allRecipients && facts.recipients.length > 0;
}

function planOversize(reason: string, rules: ResponseRules, facts: MessageFacts): ResponsePlan {
  const text = "message is too large to be scanned for viruses";
  switch (rules.onOversize) {
    case "accept":
      return acceptUnscanned(`Not Scanned - ${reason}`, rules, facts);
    case "tempfail":
      return { ...TEMPFAIL, verdict: reply(452, "4.3.4", text) };
    case "reject":
      return { ...TEMPFAIL, verdict: reply(552, "5.3.4", text), outcome: "rejected" };
  }
}

/**
 * Lets a message through that no scanner has called clean. A status header of the sender's must not stay on it:
 * where the MTA does not let it be deleted, the message has to wait.
 */
function acceptUnscanned(status: string, rules: ResponseRules, facts: MessageFacts): ResponsePlan {
  if (rules.addHeaders && facts.statusHeaders > 0 && !facts.mayChangeHeaders) return TEMPFAIL;
  return {
    modifications: statusMarks(status, null, rules, facts),
    verdict: { kind: "accept" },
    outcome: "not scanned",
    ...NOTHING_ELSE,
  };
}

function reply(code: number, enhanced: string, text: string): Verdict {
  return { kind: "reply", code, enhanced, lines: [text] };
}
