import type { ManSection } from "./man-sections.ts";

/** Sections for the administrator of the mail server: how to connect it, and how safe that is. */
export const MTA_SECTIONS: readonly ManSection[] = [
  {
    title: "SENDMAIL SET-UP",
    blocks: [
      { kind: "text", text: "In sendmail.mc, from which sendmail.cf is made:" },
      {
        kind: "code",
        lines: [
          "INPUT_MAIL_FILTER(`clamav',",
          "  `S=unix:/run/clamav-milter/clamav-milter.sock, F=T, T=C:1m;S:1m;R:2m;E:5m')dnl",
        ],
      },
      {
        kind: "text",
        text:
          "With `F=T` mail is deferred while the filter is away; without it mail passes unscanned. The filter " +
          "reports progress every few seconds, and gives each message its verdict within 270 seconds, so `E:5m` is " +
          "enough. sendmail refuses a Unix socket below a directory that everybody can write to, such as /tmp.",
      },
      {
        kind: "text",
        text: "At the start sendmail.cf is compared with the socket addresses, see --sendmail-cf.",
      },
    ],
  },
  {
    title: "POSTFIX SET-UP",
    blocks: [
      { kind: "text", text: "In main.cf:" },
      {
        kind: "code",
        lines: [
          "smtpd_milters = inet:127.0.0.1:7357",
          "non_smtpd_milters = $smtpd_milters",
          "milter_default_action = tempfail",
        ],
      },
      {
        kind: "text",
        text:
          "with the socket address `inet:7357@127.0.0.1` here. Postfix can use a Unix socket as well, " +
          "`unix:/path`, but its processes often run in a jail of their own, below /var/spool/postfix, and as the " +
          "user postfix: the path must be one that they see, and they need the right to write to the socket " +
          "(--socket-group=postfix). The limit of milter_content_timeout must stay at 300 seconds or more.",
      },
    ],
  },
  {
    title: "CHROOT",
    blocks: [
      {
        kind: "text",
        text:
          "With --chroot, which goes together with User in clamd.conf, the processes that read mail are in the " +
          "jail, as that user and with no other right, before the first byte reaches them. An empty directory is a " +
          "sufficient jail: nothing needs to be copied into it. It should belong to root, and nobody should be " +
          "able to write to it.",
      },
      {
        kind: "text",
        text:
          "All names of files mean what they mean outside: clamd.conf, the socket, the pidfile, lists and " +
          "templates. What the processes in the jail need from outside is done for them by another process, the " +
          "keeper: it connects to clamd, makes the files in which messages wait, looks up names, writes the log " +
          "and sends notices. So clamd and syslogd may be restarted, and notices work.",
      },
      {
        kind: "text",
        text: "The program must be started as root for this, and /proc must be mounted there.",
      },
    ],
  },
  {
    title: "SECURITY",
    blocks: [
      {
        kind: "item",
        term: "Mail that is not looked at",
        text:
          "Mail from this machine and from the local network is not scanned unless --outgoing and --local (or " +
          "--force-scan) are given. It gets no header from this program, and keeps those that it brings: do not " +
          "trust an X-Virus-Status there.",
      },
      {
        kind: "item",
        term: "When scanning fails",
        text:
          "The sender is told to try again later. With --dont-scan-on-error such mail passes unscanned, marked " +
          "as Not Scanned.",
      },
      {
        kind: "item",
        term: "Limits",
        text:
          "Mail larger than StreamMaxLength, MaxScanSize or MaxFileSize is accepted unscanned, and marked so. " +
          "Archives that go over clamd's limits are called clean by clamd unless AlertExceedsMax is set in " +
          "clamd.conf.",
      },
      {
        kind: "item",
        term: "TCP",
        text:
          "The talk with the MTA and with clamd is not encrypted, and clamd does whatever anybody who reaches its " +
          "port asks for. Use Unix sockets, loopback addresses or a network that is yours, and hosts.allow.",
      },
      {
        kind: "item",
        term: "User",
        text:
          "Everything is made and opened as User of clamd.conf, nothing as root. The pidfile belongs to that user, " +
          "too: look at /proc/PID/exe before a signal is sent to the number in it, as the init script does.",
      },
      {
        kind: "item",
        term: "systemd",
        text:
          "`NoNewPrivileges`, the settings that imply it, and `MemoryDenyWriteExecute` must stay off: sending mail " +
          "runs set-group-ID programs, and the program makes machine code while it runs.",
      },
      {
        kind: "item",
        term: "Notices to senders",
        text: "The senders of infected mail are nearly always forged: with --bounce others get the notices.",
      },
    ],
  },
];
