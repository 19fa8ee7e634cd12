import { posix } from "node:path";
import type { GivenOptions } from "../cli/command-line.ts";
import type { OptionName } from "../cli/options.ts";
import type { SocketAddress } from "../cli/socket-address.ts";
import { type ClamdConf, numberOf } from "./clamd-conf.ts";
import { instanceName } from "./instance.ts";

/** What becomes of infected mail. */
export interface InfectedSettings {
  /** `--advisory`. */
  readonly advisory: boolean;
  /** `--quarantine`, or null. */
  readonly quarantineAddress: string | null;
  /** `--quarantine-dir`, or null. */
  readonly quarantineDirectory: string | null;
  /** `--report-phish`, or null. */
  readonly reportPhish: string | null;
  /** `--report-phish-false-positives`, or null. */
  readonly reportFalsePositives: string | null;
}

/** The mail that the program sends. */
export interface NoticeSettings {
  /** `From:`; "": the sender of the message (`--from` without an address). */
  readonly from: string;
  readonly bounce: boolean;
  readonly headers: boolean;
  readonly postmaster: string;
  readonly postmasterOnly: boolean;
  /** Full path names, or null. */
  readonly templateFile: string | null;
  readonly templateHeaders: string | null;
  /** The program that sends mail. */
  readonly sendmail: string;
  /** `--spool-dir`. */
  readonly spoolDirectory: string;
  /** This instance's folder below that. */
  readonly instance: string;
}

/** Text that is added to clean mail; `file` null: the built-in one. */
export interface SignatureSettings {
  readonly file: string | null;
}

/** Datagrams about what was found; `interface` null: the system's choice. */
export interface BroadcastSettings {
  readonly interface: string | null;
  readonly port: number;
}

/** The part of the settings that this file resolves. */
export interface MailSettings {
  readonly infected: InfectedSettings;
  readonly notices: NoticeSettings;
  readonly signature: SignatureSettings | null;
  readonly broadcast: BroadcastSettings | null;
}

const DEFAULT_SPOOL = "/var/spool/clamav-milter";
const DEFAULT_SENDMAIL = "/usr/sbin/sendmail";
/** clamd's usual port, where the classic sent its datagrams without TCPSocket (CB 8). */
const DEFAULT_PORT = 3310;

/**
 * The settings about infected mail, notices, signatures and broadcasts.
 * @param cwd what relative file names are relative to
 */
export function mailSettings(
  options: GivenOptions,
  conf: ClamdConf,
  sockets: readonly SocketAddress[],
  cwd: string,
): MailSettings {
  const { values } = options;
  const text = (name: OptionName): string | null => {
    const value = values[name];
    return typeof value === "string" && value !== "" ? value : null;
  };
  const file = (name: OptionName): string | null => {
    const value = text(name);
    return value === null ? null : posix.resolve(cwd, value);
  };
  return {
    infected: {
      advisory: values.advisory === true,
      quarantineAddress: text("quarantine"),
      quarantineDirectory: text("quarantine-dir"),
      reportPhish: text("report-phish"),
      reportFalsePositives: text("report-phish-false-positives"),
    },
    notices: {
      // Without an address: the sender of each message (man page, -a).
      from: values.from === undefined ? "MAILER-DAEMON" : (text("from") ?? ""),
      bounce: values.bounce === true,
      headers: values.headers === true,
      postmaster: text("postmaster") ?? "postmaster",
      postmasterOnly: values["postmaster-only"] === true,
      templateFile: file("template-file"),
      templateHeaders: file("template-headers"),
      sendmail: text("sendmail-bin") ?? DEFAULT_SENDMAIL,
      spoolDirectory: text("spool-dir") ?? DEFAULT_SPOOL,
      instance: instanceName(sockets[0]),
    },
    signature:
      values.sign === true || values["signature-file"] !== undefined
        ? { file: file("signature-file") }
        : null,
    broadcast:
      values.broadcast === undefined
        ? null
        : { interface: text("broadcast"), port: numberOf(conf, "TCPSocket") || DEFAULT_PORT },
  };
}

/** Whether mail of ours has to wait somewhere: with --quiet and nothing to report it need not (decisions 6). */
export function needsOutbox(settings: {
  readonly quiet: boolean;
  readonly infected: InfectedSettings;
}): boolean {
  const { reportPhish, reportFalsePositives } = settings.infected;
  return !settings.quiet || reportPhish !== null || reportFalsePositives !== null;
}
