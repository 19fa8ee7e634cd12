const OLD_NAMES = "KERN USER MAIL DAEMON AUTH SYSLOG LPR NEWS UUCP CRON AUTHPRIV FTP".split(" ");
const FIRST_LOCAL = 16;
const LOCALS = 8;

/** The facilities of syslog(3) by name; the numbers are those of RFC 5424, 6.2.1. */
export const FACILITIES: ReadonlyMap<string, number> = new Map([
  ...OLD_NAMES.map((name, number): [string, number] => [`LOG_${name}`, number]),
  ...Array.from({ length: LOCALS }, (_, at): [string, number] => [`LOG_LOCAL${at}`, FIRST_LOCAL + at]),
]);
