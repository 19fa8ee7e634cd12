import { Step } from "../milter/codes.ts";
import type { Wanted } from "../milter/negotiation.ts";
import { neededActions } from "../response/actions.ts";
import type { ResponseRules } from "../response/rules.ts";
import type { PolicyWorld } from "./judge.ts";

/** What the policy has to hear, and to answer at once. */
export interface PolicyNeeds {
  readonly helo: boolean;
  readonly answerMail: boolean;
  readonly answerRcpt: boolean;
  readonly answerEndOfHeaders: boolean;
}

/**
 * @param traced whether the protocol is shown in the log: the HELO then, too
 * @param refusesAtMail whether a sender may be told at MAIL to come later
 */
export function needsOf(
  { rules, ownNames, blacklists, whitelists }: PolicyWorld,
  traced: boolean,
  refusesAtMail: boolean,
  response: ResponseRules | null = null,
): PolicyNeeds {
  const forged = ownNames !== null;
  return {
    // SPF may ask for it.
    helo: forged || traced || response?.reportFalsePositives === true,
    answerMail: forged || blacklists || whitelists || rules.skipAuthenticated !== null || refusesAtMail,
    answerRcpt: rules.sanitise,
    answerEndOfHeaders: forged || whitelists,
  };
}

/**
 * What is negotiated, by what the options need. Header, envelope and body commands are not answered one by one
 * where the MTA allows it: then it sends without waiting. CONNECT is answered, since there mail is let through
 * that is not scanned.
 *
 * The queue id is asked for at every stage at which an MTA may know it: sendmail from MAIL on, Postfix from
 * DATA on. No list is asked for at the end of the headers: Postfix would send it before every header.
 * @param further macros that the template of notices names, without braces
 */
export function wantedOf(rules: ResponseRules, needs: PolicyNeeds, further: readonly string[] = []): Wanted {
  return {
    actions: neededActions(rules),
    steps:
      Step.noUnknown |
      Step.noData |
      Step.skip |
      Step.headerLeadingSpace |
      (needs.helo ? 0 : Step.noHelo) |
      Step.noReplyHelo |
      (needs.answerMail ? 0 : Step.noReplyMail) |
      (needs.answerRcpt ? 0 : Step.noReplyRcpt) |
      Step.noReplyHeader |
      (needs.answerEndOfHeaders ? 0 : Step.noReplyEndOfHeaders) |
      Step.noReplyBody,
    macros: {
      connect: ["j", "_", "{client_addr}", "{client_name}", "{if_name}", "{if_addr}", "{daemon_name}"],
      mail: ["i", "{auth_authen}", "{auth_type}", "{mail_addr}"],
      rcpt: ["i", "{rcpt_addr}", "{rcpt_mailer}"],
      data: ["i"],
      endOfMessage: ["i", ...further.map((name) => (name.length === 1 ? name : `{${name}}`))],
    },
  };
}
