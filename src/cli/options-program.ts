import * as check from "./option-checks.ts";
import { option } from "./option-spec.ts";
import { EXIT } from "./start-error.ts";

/** Options that bound the work. */
export const LIMIT_OPTIONS = [
  option({
    long: "max-children",
    short: "m",
    metavar: "N",
    check: check.wholeNumber(0, 100_000),
    default: "MaxThreads of clamd.conf for each server",
    group: "Limits",
    help: "how many messages are scanned at the same time",
    manual:
      "A hint for how many messages may be in scanning at the same time. A message that finds no free place " +
      "waits for one as long as --timeout says and is then scanned all the same. 0 means the default.",
  }),
  option({
    long: "timeout",
    short: "T",
    metavar: "SECONDS",
    check: check.wholeNumber(0, 86_400, "seconds"),
    default: "300",
    group: "Limits",
    help: "how long a message waits for a place (0: no limit)",
    manual:
      "How long a message waits when --max-children is reached, before it is scanned nevertheless. It never " +
      "waits for longer than leaves time for its scan before the MTA loses patience; with 0 that alone ends " +
      "the wait.",
  }),
  option({
    long: "dont-wait",
    hiddenShort: "w",
    group: "Limits",
    help: "when the limit is reached, have the sender try later",
    manual: "When --max-children is reached, do not wait, but tell the sending host to try again later.",
  }),
] as const;

/** Options about the process itself. */
export const PROGRAM_OPTIONS = [
  option({
    long: "foreground",
    group: "Program",
    help: "stay in the foreground, log to standard error",
    manual:
      "Do not go into the background, and log to standard error, too. The same as Foreground yes in clamd.conf.",
    added: true,
  }),
  option({
    long: "pidfile",
    short: "i",
    metavar: "FILE",
    check: check.absolutePath,
    checkExit: EXIT.CONFIG,
    group: "Program",
    help: "write the process ID to this file",
    manual:
      "Write the process ID to FILE, a full path name. The user that clamd.conf names must have the right to make it.",
  }),
  option({
    long: "chroot",
    short: "C",
    metavar: "DIR",
    check: check.anyDirectory,
    group: "Program",
    help: "confine the processes that read mail to this directory",
    manual:
      "Let the processes that handle mail run in DIR as their root directory. An empty directory will do: " +
      "all files are opened outside of it, and notices are sent outside of it as well.",
    conflicts: "only as root",
  }),
  option({
    long: "socket-mode",
    metavar: "OCTAL",
    check: check.socketMode,
    default: "0660",
    group: "Program",
    help: "mode of the Unix socket",
    manual: "The file mode that a Unix socket is made with.",
    added: true,
  }),
  option({
    long: "socket-group",
    metavar: "GROUP",
    check: check.groupName,
    group: "Program",
    help: "group of the Unix socket",
    manual: "The group that a Unix socket is given, so that the MTA may use it.",
    added: true,
  }),
  option({
    long: "spool-dir",
    metavar: "DIR",
    check: check.absolutePath,
    default: "/var/spool/clamav-milter",
    group: "Program",
    help: "where notices wait to be sent",
    manual:
      "The directory in which notices are kept until they are sent. It belongs to the program's user, has mode " +
      "0700, and must outlive a boot.",
    added: true,
  }),
  option({
    long: "sendmail-cf",
    hiddenShort: "0",
    metavar: "FILE",
    check: check.fileOrNothing,
    default: "/etc/mail/sendmail.cf or /etc/sendmail.cf",
    group: "Program",
    help: "sendmail.cf to check at start (empty: no check)",
    manual:
      "At start the program checks sendmail.cf: when it names mail filters, one must be at one of our socket " +
      "addresses; missing F= and time-outs that are too short are warned of. This option says where that file " +
      "is; it must then be readable. With an empty name (--sendmail-cf=) nothing is checked, nor is it with " +
      "--chroot, with an inet: or inet6: address, or on a host that has no such file.",
  }),
  option({
    long: "no-check-cf",
    group: "Program",
    help: "do not check sendmail.cf at start",
    manual: "Do not check sendmail.cf at start. The same as --sendmail-cf with an empty name.",
  }),
] as const;

/** Options about logging, and those that print something and end. */
export const INFORMATION_OPTIONS = [
  option({
    long: "debug",
    short: "D",
    group: "Log and information",
    help: "trace the protocols",
    manual:
      "Write a trace of the talk with the MTA for each connexion, and libclamav's debug output. The same as " +
      "Debug yes in clamd.conf, and as --debug-level=4. What LogVerbose shows is shown as well.",
  }),
  option({
    long: "debug-level",
    short: "x",
    metavar: "N",
    check: check.wholeNumber(0, 9),
    group: "Log and information",
    help: "the same in steps: 0 nothing, 4 commands, 9 header lines, too",
    manual:
      "How much is traced, from 0 to 9: 0 is nothing, 4 connexions and commands, 9 the names and values of " +
      "header lines as well. The bodies of messages are never logged. It counts before --debug and Debug.",
  }),
  option({
    long: "log-format",
    metavar: "text|json",
    check: check.oneOf("text", "json"),
    default: "text",
    group: "Log and information",
    help: "form of the log lines",
    manual: "Write log lines as plain text, or each as one JSON object.",
    added: true,
  }),
  option({
    long: "help",
    short: "h",
    group: "Log and information",
    help: "print this text and exit",
    manual: "Print a list of the options and exit.",
  }),
  option({
    long: "version",
    short: "V",
    group: "Log and information",
    help: "print the version and exit",
    manual:
      "Print the version of this program and of the scanner and exit. With --external in front of it, clamd is asked for its version.",
  }),
] as const;
