import type { Modification, Verdict } from "../milter/replies.ts";
import type { Situation } from "../notify/incident.ts";
import type { ReportKind } from "../notify/report.ts";

/** The settings that shape a response. */
export interface ResponseRules {
  /** `--noxheader` not given. */
  readonly addHeaders: boolean;
  /** `--dont-scan-on-error`. */
  readonly acceptOnError: boolean;
  /** `--noreject`. */
  readonly discardInfected: boolean;
  /** `--advisory`. */
  readonly advisory: boolean;
  /** `--quarantine`. */
  readonly quarantineAddress: string | null;
  /** Whether there is a `--quarantine-dir`. */
  readonly keepInfected: boolean;
  /** Whether somebody gets notices: no `--quiet`. */
  readonly notices: boolean;
  /** Whether `--report-phish` and `--report-phish-false-positives` have an address. */
  readonly reportPhish: boolean;
  readonly reportFalsePositives: boolean;
  /** `--on-oversize`. */
  readonly onOversize: "accept" | "tempfail" | "reject";
  /** `--sign` or `--signature-file`. */
  readonly sign: boolean;
  readonly ourVersion: string;
}

/** What is known of the message, apart from the verdict. Texts are "binary" strings, one byte a character. */
export interface MessageFacts {
  /** X-Virus-Status headers that the message came with. */
  readonly statusHeaders: number;
  /** Whether its Message-ID is one of MDaemon's. */
  readonly fromMdaemon: boolean;
  /** The first Subject as it is, or null without one. */
  readonly subject: string | null;
  /** As in the envelope. */
  readonly recipients: readonly string[];
  /** Whether `recipients` are all of them, and whole. */
  readonly allRecipients: boolean;
  /** Whether the domain of its author lets the client send its mail (SPF); false when that was not asked. */
  readonly spfPass: boolean;
  /** The host that `X-Virus-Scanned` names. */
  readonly host: string;
  /** What the MTA lets be done. */
  readonly mayAddHeaders: boolean;
  readonly mayChangeHeaders: boolean;
  readonly mayAddRecipients: boolean;
  readonly mayDeleteRecipients: boolean;
  readonly mayChangeBody: boolean;
  /** Whether header values must bring their own leading blank (SMFIP_HDR_LEADSPC). */
  readonly leadingSpace: boolean;
}

/** What happened to the message, for the log. */
export type Outcome =
  | "clean"
  | "rejected"
  | "discarded"
  /** To its recipients, with marks: infected (--advisory), or no phishing after all (SPF). */
  | "delivered"
  /** To the quarantine address. */
  | "redirected"
  | "not scanned"
  | "tempfailed";

/** Everything that follows from a verdict. */
export interface ResponsePlan {
  readonly modifications: readonly Modification[];
  readonly verdict: Verdict;
  readonly outcome: Outcome;
  /** Whether a copy goes into the quarantine directory, before the MTA is answered. */
  readonly keep: boolean;
  /** What notices tell; null: there are none. */
  readonly notice: Situation | null;
  readonly reports: readonly ReportKind[];
  /** Whether the infection is told by broadcast, and held against the client (--broadcast, --blacklist-time). */
  readonly alarm: boolean;
  /** Whether the body may get the signature. */
  readonly sign: boolean;
}
