import { posix } from "node:path";
import type { ServerAddress } from "../clamd/address.ts";
import type { CommandLine } from "../cli/command-line.ts";
import { sizeInBytes } from "../cli/option-checks.ts";
import type { SocketAddress } from "../cli/socket-address.ts";
import type { LogSettings } from "../log/choice.ts";
import { MESSAGE_BUDGET } from "../scan/budget.ts";
import { booleanOf, type ClamdConf, numberOf, sizeOf, textOf } from "./clamd-conf.ts";
import { type EngineSettings, type EngineSurroundings, resolveEngine } from "./engine-settings.ts";
import { resolveLogSettings } from "./log-settings.ts";
import { type MailSettings, mailSettings } from "./mail-settings.ts";
import { type PolicySettings, resolvePolicy } from "./policy-settings.ts";
import { engineScanner, externalScanners } from "./servers.ts";
import { startWarnings } from "./start-warnings.ts";

export type { SocketAddress } from "../cli/socket-address.ts";

/** All that the processes need to know from the command line and clamd.conf. Frozen, and plain JSON. */
export interface Settings extends PolicySettings, MailSettings {
  /** Where the MTA reaches us. */
  readonly sockets: readonly SocketAddress[];
  readonly configFile: string;
  /** `--foreground`, or `Foreground yes`. */
  readonly foreground: boolean;
  /** The clamd servers, at least one. */
  readonly servers: readonly ServerAddress[];
  /** The built-in engine, which is the only server then; null with `--external`. */
  readonly engine: EngineSettings | null;
  /** Seconds that the start waits for them, `--wait-for-clamd`. */
  readonly waitForClamd: number;
  /** Seconds between two test messages to each of them, `--canary`; 0: none are sent. */
  readonly canary: number;
  /** MaxThreads of clamd.conf, 1 or more. */
  readonly maxThreads: number;
  /** Messages in scanning at the same time: `--max-children`, else MaxThreads for each server. 1 or more. */
  readonly maxChildren: number;
  /** Seconds that a message waits for one of these places, `--timeout`; 0: no limit of its own. */
  readonly slotTimeout: number;
  /** `--dont-wait`. */
  readonly dontWait: boolean;
  /** Seconds; 0: clamd.conf says 0. */
  readonly readTimeout: number;
  /** Bytes; 0: no limit. */
  readonly streamMaxLength: number;
  /** Bytes: the smallest of `--max-message-size`, StreamMaxLength, MaxScanSize and MaxFileSize that is not 0; 0: no limit. */
  readonly scanSizeLimit: number;
  /** `--on-oversize`: what becomes of mail that is too large to scan. */
  readonly onOversize: OversizeRule;
  /** Seconds that a message has from its end to its verdict. */
  readonly scanTimeout: number;
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
  /** The program that is asked about recipients. */
  readonly sendmailBin: string;
  /** `--sendmail-cf`, a full path; null for the usual places. */
  readonly sendmailCf: string | null;
  readonly log: LogSettings;
  /** To be logged once at start. */
  readonly warnings: readonly string[];
}

/** What becomes of mail that is too large to scan. */
export type OversizeRule = "accept" | "tempfail" | "reject";

/** What of the surroundings settles a setting. */
export interface Surroundings {
  readonly uid: number;
  /** TMPDIR of the environment, if set. */
  readonly tmpdir: string | undefined;
  /** The directory that relative paths are meant in. */
  readonly cwd?: string;
  /** What was noticed before and is to be logged at start. */
  readonly warnings?: readonly string[];
  /** Address of the engine's socket, in the abstract namespace. */
  readonly engineSocket?: string | undefined;
  /** Processors of this host. */
  readonly cores?: number | undefined;
}

/** Seconds; man page, `--canary`. */
const CANARY = 3600;
/** Seconds; man page, `--timeout`. */
const SLOT_TIMEOUT = 300;
/** Tests of settings need not care where an engine would listen. */
const SOME_SOCKET = "\0clamav-milter-engine";

export type RunCommandLine = Extract<CommandLine, { action: "run" }>;

/**
 * Puts command line, clamd.conf and surroundings together. Conflicts must have been looked for before.
 *
 * @throws StartError (78) `NO_SCANNER` when clamd.conf names no scanner for `--external`, `CONFIG_FILE` when its
 *   LogFile is no full path
 */
export function resolveSettings(line: RunCommandLine, conf: ClamdConf, around: Surroundings): Settings {
  const { values } = line.options;
  const fullPath = (path: string | null): string | null =>
    path === null ? null : posix.resolve(around.cwd ?? "/", path);
  const internal = values.external !== true;
  const scanners = internal
    ? engineScanner(around.engineSocket ?? SOME_SOCKET)
    : externalScanners(line.options, conf);
  const log = resolveLogSettings(line.options, conf);
  const temporary = textOf(conf, "TemporaryDirectory") ?? (around.tmpdir || null);
  const streamMaxLength = sizeOf(conf, "StreamMaxLength");
  const maxThreads = numberOf(conf, "MaxThreads") ?? 10;
  return frozen({
    sockets: line.sockets,
    configFile: conf.file,
    foreground: values.foreground === true || booleanOf(conf, "Foreground"),
    servers: scanners.servers,
    engine: internal ? resolveEngine(conf, engineSurroundings(line, around, temporary, log)) : null,
    waitForClamd: wholeValue(values["wait-for-clamd"], 0),
    canary: wholeValue(values.canary, CANARY),
    maxThreads,
    maxChildren: wholeValue(values["max-children"], 0) || maxThreads * scanners.servers.length,
    slotTimeout: wholeValue(values.timeout, SLOT_TIMEOUT),
    dontWait: values["dont-wait"] === true,
    readTimeout: numberOf(conf, "ReadTimeout") ?? 120,
    streamMaxLength,
    scanSizeLimit: smallest([
      sizeInBytes(textValue(values["max-message-size"]) ?? "0") ?? 0,
      streamMaxLength,
      sizeOf(conf, "MaxScanSize"),
      sizeOf(conf, "MaxFileSize"),
    ]),
    onOversize: oversizeRule(values["on-oversize"]),
    scanTimeout: wholeValue(values["scan-timeout"], MESSAGE_BUDGET / 1000),
    ...resolvePolicy(line.options, fullPath),
    addHeaders: values.noxheader !== true,
    acceptOnError: values["dont-scan-on-error"] === true,
    discardInfected: values.noreject === true,
    quiet: values.quiet === true,
    ...mailSettings(line.options, conf, line.sockets, around.cwd ?? "/"),
    temporaryDirectory: temporary ?? SYSTEM_TEMPORARY,
    fixStaleSocket: booleanOf(conf, "FixStaleSocket"),
    socketMode: Number.parseInt(textValue(values["socket-mode"]) ?? "0660", 8),
    socketGroup: textValue(values["socket-group"]),
    user: around.uid === 0 ? textOf(conf, "User") : null,
    supplementaryGroups: booleanOf(conf, "AllowSupplementaryGroups"),
    jail: textValue(values.chroot),
    pidFile: textValue(values.pidfile),
    sendmailBin: textValue(values["sendmail-bin"]) ?? "/usr/sbin/sendmail",
    sendmailCf: fullPath(textValue(values["sendmail-cf"])),
    log,
    warnings: [
      ...conf.warnings,
      ...scanners.warnings,
      ...startWarnings(line, conf, scanners.servers, around.uid),
      ...(around.warnings ?? []),
    ],
  });
}

const SYSTEM_TEMPORARY = "/tmp";

function engineSurroundings(
  line: RunCommandLine,
  around: Surroundings,
  temporary: string | null,
  log: LogSettings,
): EngineSurroundings {
  const monitor = textValue(line.options.values["freshclam-monitor"]);
  return {
    temporaryDirectory: temporary ?? SYSTEM_TEMPORARY,
    temporaryGiven: temporary !== null,
    cores: around.cores ?? 1,
    monitor: monitor === null ? null : Number(monitor),
    debug: log.debugLevel > 0,
  };
}

function textValue(value: string | true | undefined): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function oversizeRule(value: string | true | undefined): OversizeRule {
  return value === "tempfail" || value === "reject" ? value : "accept";
}

/** A whole number that the command line has checked. */
function wholeValue(value: string | true | undefined, missing: number): number {
  return typeof value === "string" ? Number.parseInt(value, 10) : missing;
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
