import * as check from "./option-checks.ts";
import { option } from "./option-spec.ts";

/** Options that choose the scanner. */
export const SCANNER_OPTIONS = [
  option({
    long: "external",
    short: "e",
    group: "Scanner",
    help: "scan with clamd instead of in this program",
    manual:
      "Scan with clamd(8), on this host or on others, instead of with libclamav in a process of this program. " +
      "clamd.conf says where clamd is: LocalSocket names a Unix socket; TCPSocket is a port, to be reached on " +
      "the hosts of --server. If both are set, TCP is used when --server is given, the local socket otherwise.",
    conflicts: "needs LocalSocket or TCPSocket in clamd.conf",
  }),
  option({
    long: "server",
    short: "s",
    metavar: "HOST[:HOST...]",
    check: check.serverList,
    default: "127.0.0.1",
    group: "Scanner",
    help: "hosts that run clamd on the port of TCPSocket",
    manual:
      "Host names or addresses of the servers that run clamd, separated by colons; an IPv6 address stands in " +
      "square brackets. All are reached on the port that TCPSocket in clamd.conf gives. With several servers " +
      "the load is shared. All of them must answer when the program starts; later only the loss of all is an error.",
    conflicts: "needs --external",
  }),
  option({
    long: "wait-for-clamd",
    metavar: "SECONDS",
    check: check.wholeNumber(0, 86_400, "seconds"),
    default: "0",
    group: "Scanner",
    help: "at start, wait this long for clamd to answer",
    manual:
      "Wait up to this many seconds for the clamd servers to answer before the start is given up. clamd may " +
      "load its database for a minute after the host has booted.",
    added: true,
  }),
  option({
    long: "config-file",
    short: "c",
    metavar: "FILE",
    check: check.anyFile,
    default: "/etc/clamav/clamd.conf and other usual places",
    group: "Scanner",
    help: "read this clamd.conf",
    manual:
      "Read clamd's settings from FILE. Without this option the first of these that exists is read: " +
      "/etc/clamav/clamd.conf, /etc/clamd.conf, /etc/clamd.d/scan.conf, /usr/local/etc/clamd.conf.",
  }),
  option({
    long: "freshclam-monitor",
    short: "M",
    metavar: "SECONDS",
    check: check.anyWholeNumber,
    default: "300",
    group: "Scanner",
    help: "look this often for a new virus database (without --external)",
    manual:
      "When the program scans by itself, it looks every so many seconds whether the virus database has " +
      "changed, and loads the new one. This cannot be turned off. With --external the option has no effect, " +
      "since clamd watches its own database.",
    conflicts: "must be 1 or more without --external",
  }),
  option({
    long: "scan-timeout",
    metavar: "SECONDS",
    check: check.wholeNumber(1, 86_400, "seconds"),
    default: "270",
    group: "Scanner",
    help: "time that one message may take in all",
    manual:
      "The time in which a message must have its verdict, with waiting, connecting, scanning and a second " +
      "try at another server. When it has passed, the sender is told to try again later, or with " +
      "--dont-scan-on-error the message is let through. It must be shorter than the MTA's own patience.",
    added: true,
  }),
  option({
    long: "canary",
    metavar: "SECONDS",
    check: check.wholeNumber(0, 31_536_000, "seconds"),
    default: "3600",
    group: "Scanner",
    help: "test this often that each scanner finds a test virus (0: never)",
    manual:
      "A scanner can fail in such a way that it calls everything clean. So each one is given a small test " +
      "message that must be found, at the start, after a failure, and every so many seconds. A server that " +
      "no longer finds it is not used until it does. 0 turns the test off.",
    added: true,
  }),
] as const;

/** Options that say which mail is looked at. */
export const SELECTION_OPTIONS = [
  option({
    long: "local",
    short: "l",
    group: "What is scanned",
    help: "also scan mail from the local network",
    manual:
      "Also scan mail that comes from the local network: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, " +
      "169.254.0.0/16, fc00::/7, fe80::/10 and the networks of --ignore. Mail from elsewhere is always scanned.",
    conflicts: "not with --detect-forged-local-address",
  }),
  option({
    long: "outgoing",
    short: "o",
    group: "What is scanned",
    help: "also scan mail from this machine",
    manual:
      "Also scan mail that this machine sends: from 127.0.0.0/8, from ::1, and mail handed to sendmail on " +
      "the command line.",
    conflicts: "not with --detect-forged-local-address",
  }),
  option({
    long: "force-scan",
    short: "f",
    group: "What is scanned",
    help: "scan mail wherever it comes from",
    manual:
      "Scan every message, whichever host it comes from, as if --local and --outgoing were given. The " +
      "whitelist and the blacklist still count.",
    conflicts: "not with --detect-forged-local-address",
  }),
  option({
    long: "ignore",
    short: "I",
    metavar: "NET",
    check: check.network,
    group: "What is scanned",
    help: "take this network as local, too (up to eight times)",
    manual:
      "Take NET, written as address/prefix, for example 192.0.2.0/24 or 2001:db8::/32, as part of the local " +
      "network. The option can be given up to eight times.",
    repeatable: true,
  }),
  option({
    long: "skip-authenticated",
    metavar: "LIST",
    argument: "optional",
    check: check.wordList,
    group: "What is scanned",
    help: "do not scan mail from authenticated senders (or those listed)",
    manual:
      "Let mail pass unscanned when its sender has authenticated to the MTA; with a LIST, only when the " +
      "authenticated name is one of these, separated by commas, upper and lower case as they are. Such mail " +
      "gets no header lines from this program.",
    added: true,
  }),
  option({
    long: "whitelist-file",
    short: "W",
    metavar: "FILE",
    check: check.anyFile,
    group: "What is scanned",
    help: "addresses whose mail is not scanned",
    manual:
      "FILE lists mail addresses, one a line, in angle brackets. Mail to them is not scanned, and neither is " +
      "mail from them when the line begins with From:. To: may stand there as well. Mail to several " +
      "recipients passes unscanned only when all of them are listed. Lines that begin with #, : or ! are " +
      "comments. Upper and lower case do not matter. The --quarantine address always counts as listed. The " +
      "file is read again when it changes. Mail that passes this way gets no header lines from this program, " +
      "and keeps those it came with: do not trust an X-Virus-Status on it. Sender addresses are easily forged.",
  }),
  option({
    long: "black-hole-mode",
    hiddenShort: "2",
    group: "What is scanned",
    help: "do not scan mail whose recipients all lead to /dev/null",
    manual:
      "Ask sendmail (--sendmail-bin, with -bv) whether the recipients are aliases of /dev/null, and discard the " +
      "message unscanned when all of them are. Answers count for five minutes; when there is none the message " +
      "is scanned. The program must run as a user that sendmail trusts (User in clamd.conf), with " +
      "AllowSupplementaryGroups, and this user must be able to read the mail queue; otherwise it does not " +
      "start. Works with Sendmail only.",
  }),
  option({
    long: "detect-forged-local-address",
    short: "L",
    group: "What is scanned",
    help: "refuse mail from outside that claims to be from here",
    manual:
      "Refuse mail from hosts outside when the host's name or HELO is the name of this host, or when the " +
      "sender or the From: address is in our domain. That is the parent of the host's name (example.org for " +
      "mail.example.org), or the name itself where others register names below the parent. Authenticated " +
      "and whitelisted senders pass, and so does a From: address of ours with a Sender: of another domain. " +
      "Forwarders and mailing services may send such mail for good reasons: it is refused as well.",
    conflicts: "not with --local, --outgoing or --force-scan",
  }),
  option({
    long: "blacklist-time",
    short: "k",
    metavar: "SECONDS",
    check: check.wholeNumber(0, 31_536_000, "seconds"),
    default: "0, no blacklist",
    group: "What is scanned",
    help: "refuse a host for this long after infected mail from it",
    manual:
      "Refuse all mail from an address, IPv4 or IPv6, for so many seconds after it has sent infected mail or " +
      "mail to a recipient with ; or |. 60 is a good value; more may hit innocent hosts, since addresses " +
      "change hands. What a listed host tries does not make the time longer. This machine, the local network " +
      "and our MX hosts, which are looked up every hour, are never listed. The list has 200,000 entries at " +
      "most; it is lost when the program ends.",
  }),
  option({
    long: "dont-blacklist",
    short: "K",
    metavar: "IP[,IP...]",
    check: check.addressList,
    group: "What is scanned",
    help: "addresses that are never blacklisted",
    manual:
      "Never blacklist these addresses, for instance the mail server of a provider that passes mail on to us.",
  }),
] as const;
