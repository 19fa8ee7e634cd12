import type { ServerAddress } from "../clamd/address.ts";
import type { CommandLine } from "../cli/command-line.ts";
import type { SocketAddress } from "../cli/socket-address.ts";
import type { LogSettings } from "../log/choice.ts";
import { booleanOf, type ClamdConf, numberOf, sizeOf, textOf } from "./clamd-conf.ts";
import { resolveLogSettings } from "./log-settings.ts";
import { type MailSettings, mailSettings } from "./mail-settings.ts";
import { externalScanners } from "./servers.ts";
import { startWarnings } from "./start-warnings.ts";

export type { SocketAddress } from "../cli/socket-address.ts";

/** All that the processes need to know from the command line and clamd.conf. Frozen, and plain JSON. */
export interface Settings extends MailSettings {
  /** Where the MTA reaches us. */
  readonly sockets: readonly SocketAddress[];
  readonly configFile: string;
  /** `--foreground`, or `Foreground yes`. */
  readonly foreground: boolean;
  /** The clamd servers, at least one. */
  readonly servers: readonly ServerAddress[];
  /** MaxThreads of clamd.conf, 1 or more. */
  readonly maxThreads: number;
  /** Seconds; 0: clamd.conf says 0. */
  readonly readTimeout: number;
  /** Bytes; 0: no limit. */
  readonly streamMaxLength: number;
  /** Bytes: the smallest of StreamMaxLength, MaxScanSize and MaxFileSize that is not 0; 0: no limit. */
  readonly scanSizeLimit: number;
  readonly scanOutgoing: boolean;
  readonly scanLocal: boolean;
  readonly forceScan: boolean;
  /** Canonical CIDR text. */
  readonly ignoreNets: readonly string[];
  /** False with `--noxheader`. */
  readonly addHeaders: boolean;
  /** `--dont-scan-on-error`. */
  readonly acceptOnError: boolean;
  /** `--noreject`. */
  readonly discardInfected: boolean;
  readonly quiet: boolean;
  /** TemporaryDirectory, else TMPDIR, else /tmp. */
  readonly temporaryDirectory: string;
  readonly fixStaleSocket: boolean;
  /** Mode of unix sockets. */
  readonly socketMode: number;
  /** Group of unix sockets, or null for the user's own. */
  readonly socketGroup: string | null;
  /** The user to become when started as root, or null. */
  readonly user: string | null;
  /** Whether that user's further groups are taken, too. */
  readonly supplementaryGroups: boolean;
  /** Directory that becomes the root of the processes that read mail, or null. */
  readonly jail: string | null;
  readonly pidFile: string | null;
  readonly log: LogSettings;
  /** To be logged once at start. */
  readonly warnings: readonly string[];
}

/** What of the surroundings settles a setting. */
export interface Surroundings {
  readonly uid: number;
  /** TMPDIR of the environment, if set. */
  readonly tmpdir: string | undefined;
  /** What relative file names are relative to; the root unless told. */
  readonly cwd?: string;
  /** What was noticed before and is to be logged at start. */
  readonly warnings?: readonly string[];
}

export type RunCommandLine = Extract<CommandLine, { action: "run" }>;

/**
 * Puts command line, clamd.conf and surroundings together. Conflicts must have been looked for before.
 *
 * @throws StartError (78) `NO_SCANNER` when clamd.conf names no scanner for `--external`, `CONFIG_FILE` when its
 *   LogFile is no full path
 */
export function resolveSettings(line: RunCommandLine, conf: ClamdConf, around: Surroundings): Settings {
  const { values, ignore } = line.options;
  const scanners = externalScanners(line.options, conf);
  const streamMaxLength = sizeOf(conf, "StreamMaxLength");
  return frozen({
    sockets: line.sockets,
    configFile: conf.file,
    foreground: values.foreground === true || booleanOf(conf, "Foreground"),
    servers: scanners.servers,
    maxThreads: numberOf(conf, "MaxThreads") ?? 10,
    readTimeout: numberOf(conf, "ReadTimeout") ?? 120,
    streamMaxLength,
    scanSizeLimit: smallest([streamMaxLength, sizeOf(conf, "MaxScanSize"), sizeOf(conf, "MaxFileSize")]),
    scanOutgoing: values.outgoing === true,
    scanLocal: values.local === true,
    forceScan: values["force-scan"] === true,
    ignoreNets: ignore,
    addHeaders: values.noxheader !== true,
    acceptOnError: values["dont-scan-on-error"] === true,
    discardInfected: values.noreject === true,
    quiet: values.quiet === true,
    ...mailSettings(line.options, conf, line.sockets, around.cwd ?? "/"),
    temporaryDirectory: textOf(conf, "TemporaryDirectory") ?? (around.tmpdir || "/tmp"),
    fixStaleSocket: booleanOf(conf, "FixStaleSocket"),
    socketMode: Number.parseInt(textValue(values["socket-mode"]) ?? "0660", 8),
    socketGroup: textValue(values["socket-group"]),
    user: around.uid === 0 ? textOf(conf, "User") : null,
    supplementaryGroups: booleanOf(conf, "AllowSupplementaryGroups"),
    jail: textValue(values.chroot),
    pidFile: textValue(values.pidfile),
    log: resolveLogSettings(line.options, conf),
    warnings: [
      ...conf.warnings,
      ...scanners.warnings,
      ...startWarnings(line, conf, scanners.servers, around.uid),
      ...(around.warnings ?? []),
    ],
  });
}

function textValue(value: string | true | undefined): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** The smallest limit that is set; 0 means "no limit" in clamd.conf. */
function smallest(limits: readonly number[]): number {
  const set = limits.filter((limit) => limit > 0);
  return set.length === 0 ? 0 : Math.min(...set);
}

function frozen<T extends object>(value: T): Readonly<T> {
  for (const part of Object.values(value)) {
    if (typeof part === "object" && part !== null) frozen(part);
  }
  return Object.freeze(value);
}
