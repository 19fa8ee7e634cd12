/** What is to be done with mail, and why. `rule` is a word for programs, `reason` a text for people. */
export type Decision =
  /** Go on; it is scanned in the end. */
  | { readonly kind: "scan" }
  /** Cannot be told before the black hole question is answered. */
  | { readonly kind: "later" }
  | (Reasoned & { readonly kind: "accept" })
  | (Reasoned & { readonly kind: "discard" })
  | (Reasoned & {
      readonly kind: "refuse";
      readonly code: 550 | 554;
      /** The reply behind code and enhanced code 5.7.1. */
      readonly text: string;
      /**
       * To be said at the end of the message: mail of this machine. Postfix keeps what the command line handed in
       * for ever when a recipient of it is refused, and what a command is told at RCPT reaches nobody.
       */
      readonly atEnd: boolean;
    });

interface Reasoned {
  readonly rule: RuleName;
  /** Texts from the wire in it are "binary" strings, as `shown` makes them. */
  readonly reason: string;
  /** Decisions 7, "Log": what comes from here, from the LAN or by the whitelist is for LogVerbose. */
  readonly level: "verbose" | "info" | "warning";
}

export type RuleName =
  | "this machine"
  | "LAN"
  | "blacklist"
  | "whitelist"
  | "authenticated"
  | "forged host name"
  | "forged HELO"
  | "forged sender"
  | "forged From"
  | "suspicious recipient"
  | "black hole";

export const SCAN: Decision = { kind: "scan" };
export const LATER: Decision = { kind: "later" };

/** The mail passes unscanned. */
export function accept(rule: RuleName, reason: string, level: "verbose" | "info"): Decision {
  return { kind: "accept", rule, reason, level };
}

/** The mail is taken and thrown away. */
export function discard(rule: RuleName, reason: string): Decision {
  return { kind: "discard", rule, reason, level: "info" };
}

/** The mail, or that recipient, is refused for good. */
export function refuse(
  rule: RuleName,
  reply: { readonly code: 550 | 554; readonly text: string },
  reason: string,
  level: "info" | "warning" = "info",
): Decision {
  return { kind: "refuse", rule, ...reply, reason, level, atEnd: false };
}

/** A text from the wire for a sentence of ours, without the brackets of an address: none of its blanks and quotes can be taken for ours. */
export function shown(binary: string): string {
  const bare = binary.replace(/^<(.*)>$/s, "$1");
  return bare.replaceAll(/[\s"'\\]/g, (sign) => `\\x${sign.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
