import { MTA_SECTIONS } from "./man-mta-sections.ts";
import type { Block } from "./roff.ts";
import { EXIT } from "./start-error.ts";

/** A section of the manual page besides the options. */
export interface ManSection {
  readonly title: string;
  readonly blocks: readonly Block[];
}

const STATUS: Readonly<Record<keyof typeof EXIT, string>> = {
  USAGE: "An option, its value or a socket address is wrong, or options exclude each other.",
  NOINPUT: "A file that was given cannot be read.",
  UNAVAILABLE: "A scanner does not answer, or something was asked for that this version cannot do.",
  SOFTWARE: "A process of the program failed at the start.",
  OSERR: "The operating system refused something that should always work.",
  CANTCREAT: "A file or directory cannot be made.",
  TEMPFAIL: "Something is missing for the moment; the same start may work later.",
  NOPERM: "A right is missing.",
  CONFIG:
    "Something in clamd.conf or sendmail.cf, or about the user, the jail, the pidfile or the socket, has to be " +
    "corrected. The line on standard error tells what.",
};

function text(...sentences: readonly string[]): Block {
  return { kind: "text", text: sentences.join(" ") };
}

function code(...lines: readonly string[]): Block {
  return { kind: "code", lines };
}

function item(term: string, ...sentences: readonly string[]): Block {
  return { kind: "item", term, text: sentences.join(" ") };
}

/** What stands in front of the options. */
export const OPENING: readonly ManSection[] = [
  { title: "NAME", blocks: [text("clamav-milter - mail filter that has mail scanned by ClamAV")] },
  { title: "SYNOPSIS", blocks: [text("`clamav-milter` [option]... socket_address...")] },
  {
    title: "DESCRIPTION",
    blocks: [
      text(
        "`clamav-milter` stands beside sendmail(8) or postfix(1) and is shown every message while the sending host",
        "still waits for an answer. The message is scanned with ClamAV. Infected mail is refused in the SMTP",
        "dialogue with the name of the virus; clean mail is marked as such and goes its way. No mail is called",
        "clean unless a scanner that works has said so.",
      ),
      text(
        "Each socket_address is a place where the MTA reaches the filter: `unix:/path`, `local:/path` or `/path`",
        "for a Unix socket, `inet:port`, `inet:port@host`, `inet6:port` or `inet6:port@host` for TCP. It must agree",
        "with the entry in the MTA's configuration. The user that the program runs as must have the right to make",
        "the Unix socket.",
      ),
      text(
        "Settings of the scanner are taken from clamd.conf(5), the same file that clamd(8) reads. With --external",
        "every clamd server must answer before the program goes to work; otherwise it ends with an error.",
      ),
      text(
        "Without --foreground the command returns when mail is accepted, with status 0, or with the error that kept",
        "the program from starting.",
      ),
      text(
        "Access to TCP sockets can be limited in hosts.allow and hosts.deny, see hosts_access(5); the name of the",
        "daemon there is `clamav-milter`. The rules are for the MTA that connects to the filter, not for the sender",
        "of a message.",
      ),
      text(
        "Options can be abbreviated and may follow the socket address. One with an optional value takes it only",
        "attached: --from=me@example.org, -Beth0. When an option is given twice the last one counts, except for",
        "--ignore.",
      ),
    ],
  },
];

const FILES: ManSection = {
  title: "FILES",
  blocks: [
    item(
      "/etc/clamav/clamd.conf",
      "Settings shared with clamd; then /etc/clamd.conf, /etc/clamd.d/scan.conf and /usr/local/etc/clamd.conf.",
    ),
    item("/etc/default/clamav-milter", "Options and socket addresses for the unit and the init script."),
    item(
      "/run/clamav-milter/",
      "The place of the Unix socket and of the pidfile; belongs to the program's user.",
    ),
    item(
      "/var/spool/clamav-milter/",
      "Where notices wait to be sent; belongs to the program's user, mode 0700.",
    ),
    item("/etc/mail/sendmail.cf, /etc/sendmail.cf", "Checked at the start, see --sendmail-cf."),
    item("/etc/resolv.conf", "Name servers that are asked for our MX hosts with --blacklist-time."),
    item("/etc/hosts.allow, /etc/hosts.deny", "Who may connect to a TCP socket."),
  ],
};

const SIGNALS: ManSection = {
  title: "SIGNALS",
  blocks: [
    text("They are sent to the process whose number is in the pidfile."),
    item(
      "`TERM`, `INT`",
      "Take no more mail, finish what is in scanning, remove pidfile and sockets, and end with status 0. The MTA",
      "keeps what has no verdict by then.",
    ),
    item(
      "`HUP`",
      "Read clamd.conf, lists and templates anew and open the logs anew. No connexion is lost. When the new settings",
      "are wrong the log says why, and the old ones stay.",
    ),
    item("`USR1`", "Open the logs anew, after they were rotated."),
    item("`USR2`", "Read the virus database anew, without --external."),
  ],
};

const EXIT_STATUS: ManSection = {
  title: "EXIT STATUS",
  blocks: [
    item(
      "0",
      "The program runs in the background and accepts mail; or, in the foreground, it was told to stop.",
    ),
    ...(Object.keys(STATUS) as (keyof typeof EXIT)[]).map((name) => item(String(EXIT[name]), STATUS[name])),
    text("The numbers are those of sysexits.h. Every error is told in one line on standard error."),
  ],
};

const CLASSIC: ManSection = {
  title: "DIFFERENCES FROM THE CLASSIC",
  blocks: [
    text(
      "The options are those of the clamav-milter that came with ClamAV 0.94 and older, and old start-up scripts",
      "go on working. These things are not the same:",
    ),
    item("What is scanned", "The whole message with all its headers, not a selection of them."),
    item(
      "Mail that was not scanned",
      "X-Virus-Status says so, with the reason: too large, no scanner. It never says Clean then.",
    ),
    item("Sessions with clamd", "They are kept open and used again; there is no build without them."),
    item(
      "A server that fails",
      "The message is kept until there is a verdict, and sent again, to another server if there is one.",
    ),
    item("Several sockets", "More than one socket address can be given."),
    item("IPv6", "It works wherever an address is read."),
    item("`inet:` without --local", "It is allowed; a warning tells what follows from it."),
    item("--max-children", "It counts messages in scanning, not connexions."),
    item("--bounce and --debug-level", "They are there without being compiled in."),
    item(
      "--blacklist-time",
      "Attempts of a listed host do not make its time longer. IPv6 hosts are listed, too, and --force-scan changes",
      "nothing about it.",
    ),
    item("--whitelist-file", "It is read again when it changes, and on HUP."),
    item("--detect-forged-local-address", "HELO, sender and From: are looked at, not the host's name alone."),
    item(
      "Refusals",
      "Mail of this machine is refused at the end of the message only: Postfix would keep mail of the command line in",
      "its queue when a recipient of it was refused.",
    ),
    item("--quarantine-dir", "It works with every way of scanning."),
    item("--chroot", "It needs no copies of files in the jail, for notices neither."),
    item("sendmail.cf", "Its X lines are read; our path somewhere in the file is not enough."),
    item("Exit status", "It tells the truth after going into the background, too."),
  ],
};

const EXAMPLES: ManSection = {
  title: "EXAMPLES",
  blocks: [
    text("Behind sendmail on the same host, mail of this host and of the LAN included:"),
    code(
      "clamav-milter --external --outgoing --local \\",
      "    --pidfile=/run/clamav-milter/clamav-milter.pid \\",
      "    unix:/run/clamav-milter/clamav-milter.sock",
    ),
    text("By hand, to see what happens:"),
    code("clamav-milter --foreground -e -c /etc/clamav/clamd.conf inet:7357@127.0.0.1"),
    text("Two clamd servers, infected mail discarded:"),
    code("clamav-milter -e --server=scan1.example.org:scan2.example.org -N inet:7357@127.0.0.1"),
    text("The program's version and clamd's:"),
    code("clamav-milter -e -V"),
  ],
};

const SEE_ALSO: ManSection = {
  title: "SEE ALSO",
  blocks: [
    text(
      "clamd(8), clamd.conf(5), clamdscan(1), freshclam(1), sendmail(8), postconf(5), hosts_access(5),",
      "hosts_options(5), systemd.service(5), logrotate(8)",
    ),
  ],
};

/** What follows the options. */
export const CLOSING: readonly ManSection[] = [
  FILES,
  SIGNALS,
  EXIT_STATUS,
  ...MTA_SECTIONS,
  CLASSIC,
  EXAMPLES,
  SEE_ALSO,
];
