import { Step } from "../milter/codes.ts";
import type { Wanted } from "../milter/negotiation.ts";
import { neededActions } from "../response/actions.ts";
import type { ResponseRules } from "../response/rules.ts";

/**
 * What is negotiated, by what the options need. Header, envelope and body commands are not answered one by one
 * where the MTA allows it: then it sends without waiting. CONNECT is answered, since there mail is let through
 * that is not scanned.
 *
 * The queue id is asked for at every stage at which an MTA may know it: sendmail from MAIL on, Postfix from
 * DATA on. No list is asked for at the end of the headers: Postfix would send it before every header.
 * @param further macros that the template of notices names, without braces
 * @param refusesAtMail whether a sender may be told at MAIL to come later: then MAIL has to be answered
 */
export function wantedOf(
  rules: ResponseRules,
  refusesAtMail = false,
  further: readonly string[] = [],
): Wanted {
  return {
    actions: neededActions(rules),
    steps:
      Step.noUnknown |
      Step.noData |
      Step.skip |
      Step.headerLeadingSpace |
      Step.noReplyHelo |
      (refusesAtMail ? 0 : Step.noReplyMail) |
      Step.noReplyRcpt |
      Step.noReplyHeader |
      Step.noReplyEndOfHeaders |
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
