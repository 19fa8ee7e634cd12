import * as check from "./option-checks.ts";
import { option } from "./option-spec.ts";

/** Options that say what becomes of mail. */
export const VERDICT_OPTIONS = [
  option({
    long: "noreject",
    short: "N",
    group: "Infected mail",
    help: "discard infected mail silently instead of refusing it",
    manual:
      "Accept infected mail and throw it away, instead of refusing it with code 550 or 554. Recommended " +
      "unless --bounce is given.",
  }),
  option({
    long: "advisory",
    short: "A",
    group: "Infected mail",
    help: "deliver infected mail, but mark it",
    manual: "Deliver infected mail with marks in its header instead of stopping it.",
    conflicts: "not with --quarantine or --quarantine-dir",
  }),
  option({
    long: "quarantine",
    short: "Q",
    metavar: "EMAIL",
    check: check.mailAddress,
    group: "Infected mail",
    help: "send infected mail to this address instead",
    manual:
      "Redirect infected mail to this address instead of its recipients. Mail to and from the address is " +
      "never scanned.",
    conflicts: "not with --advisory",
  }),
  option({
    long: "quarantine-dir",
    short: "U",
    metavar: "DIR",
    check: check.absolutePath,
    group: "Infected mail",
    help: "keep infected mail in this directory",
    manual:
      "Keep a copy of each infected message in DIR, which must belong to the user that the program runs as " +
      "and must not be open to group or others in any way.",
    conflicts: "not with --advisory; DIR must have mode 0700 or less",
  }),
  option({
    long: "dont-scan-on-error",
    short: "d",
    group: "Infected mail",
    help: "on errors let mail through unscanned",
    manual:
      "Let mail through unscanned when scanning fails for a reason on our side. Without this option the " +
      "sender is told to try again later, and the mail stays in the queue.",
  }),
  option({
    long: "on-oversize",
    metavar: "accept|tempfail|reject",
    check: check.oneOf("accept", "tempfail", "reject"),
    default: "accept",
    group: "Infected mail",
    help: "what to do with mail that is too large to scan",
    manual:
      "What becomes of mail that is larger than the scanner's limits: it is accepted with a mark that it " +
      "was not scanned, refused for now, or refused for good. The same goes for mail with an archive that goes " +
      "over the limits within the scanner (Heuristics.Limits.Exceeded).",
    added: true,
  }),
  option({
    long: "max-message-size",
    metavar: "BYTES",
    check: check.sizeAboveZero,
    default: "StreamMaxLength of clamd.conf",
    group: "Infected mail",
    help: "largest message that is scanned",
    manual:
      "Do not scan messages with more bytes than this, which may be followed by K, M or G. The limits in " +
      "clamd.conf count as well.",
    added: true,
  }),
] as const;

/** Options about what is written into mail. */
export const MARK_OPTIONS = [
  option({
    long: "noxheader",
    short: "n",
    group: "Marks in mail",
    help: "do not add X-Virus-Scanned and X-Virus-Status",
    manual:
      "Do not add the header lines X-Virus-Scanned and X-Virus-Status, which otherwise tell what was done " +
      "with a message.",
  }),
  option({
    long: "sign",
    short: "S",
    group: "Marks in mail",
    help: "add a line of text to scanned mail",
    manual:
      "Add a built-in text to the end of the text of each scanned message. Signed and encrypted messages " +
      "are left as they are.",
  }),
  option({
    long: "signature-file",
    short: "F",
    metavar: "FILE",
    check: check.anyFile,
    group: "Marks in mail",
    help: "add the text of this file to scanned mail",
    manual: "Like --sign, but with the content of FILE instead of the built-in text. Implies --sign.",
  }),
] as const;

/** Options about the mail and datagrams that the program sends. */
export const NOTICE_OPTIONS = [
  option({
    long: "quiet",
    short: "q",
    group: "Notices and reports",
    help: "send no notices about infected mail",
    manual:
      "Send no notice of infected mail to anybody. Overrides --bounce and --postmaster-only. The mail that " +
      "tells of a lost scanner is still sent.",
  }),
  option({
    long: "bounce",
    short: "b",
    group: "Notices and reports",
    help: "tell the sender, too (senders are usually forged)",
    manual:
      "Send a notice of infected mail to its sender and to the postmaster. Most such mail has a forged " +
      "sender, so this is not recommended.",
    conflicts: "no effect with --quiet",
  }),
  option({
    long: "postmaster",
    short: "p",
    metavar: "EMAIL",
    check: check.mailAddress,
    default: "postmaster",
    group: "Notices and reports",
    help: "who gets the notices",
    manual: "Send notices of infected mail to this address, unless --quiet is given.",
  }),
  option({
    long: "postmaster-only",
    short: "P",
    group: "Notices and reports",
    help: "send no notices to recipients, only to the postmaster",
    manual:
      "Send notices to the postmaster only, and put the queue ID of the message into them, so that it can " +
      "be found in the log. Without this option the recipients of the message get the notice, too.",
    conflicts: "no effect with --quiet",
  }),
  option({
    long: "from",
    short: "a",
    metavar: "EMAIL",
    argument: "optional",
    shortArgument: "required",
    check: check.fromText,
    default: "MAILER-DAEMON",
    group: "Notices and reports",
    help: "From: address of notices (empty: the sender of the message)",
    manual:
      "The address that notices come from. --from without an address takes the sender of the infected " +
      "message, which is likely to be forged. The short form always needs an argument.",
  }),
  option({
    long: "headers",
    short: "H",
    group: "Notices and reports",
    help: "put the header of the message into notices",
    manual: "Put all header lines of the infected message into the notices about it.",
  }),
  option({
    long: "template-file",
    short: "t",
    metavar: "FILE",
    check: check.anyFile,
    group: "Notices and reports",
    help: "text of the notices",
    manual:
      "Take the text of notices from FILE. %v in it stands for the scanner's message with the name of the " +
      "virus, %h for the header of the mail; a \\ in front of %v keeps it as it is, %% is a percent sign, " +
      "and a macro of sendmail between dollar signs is replaced by its value, for example $j$.",
  }),
  option({
    long: "template-headers",
    hiddenShort: "1",
    metavar: "FILE",
    check: check.anyFile,
    group: "Notices and reports",
    help: "header lines to add to the notices",
    manual:
      "Add the lines of FILE to the header of notices, for example a Content-Type that gives the character " +
      "set of the template.",
    conflicts: "needs --template-file",
  }),
  option({
    long: "dont-sanitise",
    hiddenShort: "z",
    group: "Notices and reports",
    help: "allow ; and | in recipients",
    manual:
      "Allow the characters ; and | in recipients. Otherwise such a recipient is refused with 554; for mail of " +
      "this machine the whole message is refused at its end.",
  }),
  option({
    long: "sendmail-bin",
    metavar: "FILE",
    check: check.absolutePath,
    default: "/usr/sbin/sendmail",
    group: "Notices and reports",
    help: "program that sends notices and knows aliases",
    manual:
      "The sendmail program, or one that takes its arguments, by which notices are sent, and which " +
      "--black-hole-mode asks about recipients.",
    added: true,
  }),
  option({
    long: "report-phish",
    short: "r",
    metavar: "EMAIL",
    check: check.mailAddress,
    group: "Notices and reports",
    help: "send caught phishing mail to this address",
    manual: "Send each phishing mail that was caught to this address, as an attachment.",
    conflicts: "not with PhishingSignatures no in clamd.conf",
  }),
  option({
    long: "report-phish-false-positives",
    short: "R",
    metavar: "EMAIL",
    check: check.mailAddress,
    group: "Notices and reports",
    help: "report phishing alarms on genuine mail to this address",
    manual:
      "When a message looks like phishing by heuristics, but SPF shows that its domain really sent it, let " +
      "it through with a mark and report it to this address.",
    conflicts: "not with PhishingSignatures no in clamd.conf",
  }),
  option({
    long: "broadcast",
    short: "B",
    metavar: "IFACE",
    argument: "optional",
    check: check.interfaceName,
    group: "Notices and reports",
    help: "broadcast a UDP message when a virus is found",
    manual:
      "Broadcast a UDP message to the port of TCPSocket in clamd.conf (3310 when unset) whenever a virus is " +
      "found, through interface IFACE if that is given.",
    conflicts: "IFACE only as root",
  }),
] as const;
