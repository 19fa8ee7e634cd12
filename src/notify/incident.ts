/** What became of an infected message. */
export type Situation = "refused" | "discarded" | "redirected" | "delivered";

export const SITUATIONS: readonly Situation[] = ["refused", "discarded", "redirected", "delivered"];

/** An infected message, as notices tell of it. All texts from outside are "binary" strings, one byte a character. */
export interface Incident {
  readonly situation: Situation;
  readonly queueId: string;
  /** As in the envelope, with brackets. */
  readonly sender: string;
  /** The first of them; `recipientCount` says how many there were. */
  readonly recipients: readonly string[];
  readonly recipientCount: number;
  /** What was found in it. */
  readonly names: readonly string[];
  readonly clientHost: string;
  readonly clientAddress: string;
  /** The MTA's own words on the client (macro `_`), or "". */
  readonly clientWords: string;
  /** The Received: line that may name the infected machine (CB 7.3), or "". */
  readonly origin: string;
  /** The MTA's name for itself (macro `j`), or "". */
  readonly mtaHost: string;
  /** The macros that the template asks for. */
  readonly macros: Readonly<Record<string, string>>;
}

/** The options that shape notices (man page: -a, -b, -H, -p, -P). */
export interface NoticeRules {
  /** `From:` of notices; "": the sender of the message. */
  readonly from: string;
  readonly bounce: boolean;
  readonly headers: boolean;
  readonly postmaster: string;
  readonly postmasterOnly: boolean;
}
