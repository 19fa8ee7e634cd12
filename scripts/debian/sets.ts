/** A named group of Debian packages that is unpacked into one private root. */
export interface PackageSet {
  /** Packages whose files are wanted; libraries they need and the host lacks are found and added. */
  readonly packages: readonly string[];
  /** Programs, by path below the root, that must load once everything is there. */
  readonly programs: readonly string[];
}

export type SetName =
  | "clamav"
  | "clamav-milter"
  | "miltertest"
  | "sendmail"
  | "postfix"
  | "tcpd"
  | "groff"
  | "shellcheck"
  | "systemd"
  | "logrotate"
  | "strace"
  | "faketime";

/** Everything the tests, the benches and the trial run take from Debian. */
export const SETS: Readonly<Record<SetName, PackageSet>> = {
  clamav: {
    packages: ["clamav-daemon", "clamav-base", "clamdscan", "clamav-testfiles"],
    programs: ["usr/sbin/clamd", "usr/bin/clamdscan"],
  },
  "clamav-milter": {
    packages: ["clamav-milter"],
    programs: ["usr/sbin/clamav-milter"],
  },
  miltertest: { packages: ["miltertest"], programs: ["usr/bin/miltertest"] },
  sendmail: {
    packages: ["sendmail-bin", "sendmail-base", "sendmail-cf", "m4"],
    programs: ["usr/libexec/sendmail/sendmail", "usr/bin/m4"],
  },
  postfix: {
    packages: ["postfix"],
    programs: ["usr/sbin/postfix", "usr/lib/postfix/sbin/master", "usr/lib/postfix/sbin/smtpd"],
  },
  tcpd: { packages: ["tcpd"], programs: ["usr/sbin/tcpdmatch"] },
  groff: { packages: ["groff-base"], programs: ["usr/bin/groff", "usr/bin/troff", "usr/bin/grotty"] },
  shellcheck: { packages: ["shellcheck"], programs: ["usr/bin/shellcheck"] },
  systemd: { packages: ["systemd"], programs: ["usr/bin/systemd-analyze"] },
  logrotate: { packages: ["logrotate"], programs: ["usr/sbin/logrotate"] },
  strace: { packages: ["strace"], programs: ["usr/bin/strace"] },
  faketime: { packages: ["libfaketime", "faketime"], programs: ["usr/bin/faketime"] },
};

/** Names of all sets, in the order in which they are brought. */
export const SET_NAMES: readonly SetName[] = [
  "clamav",
  "clamav-milter",
  "miltertest",
  "sendmail",
  "postfix",
  "tcpd",
  "groff",
  "shellcheck",
  "systemd",
  "logrotate",
  "strace",
  "faketime",
];

/** Tells whether a word from a command line names a set. */
export function isSetName(word: string): word is SetName {
  return Object.hasOwn(SETS, word);
}
