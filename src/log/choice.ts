import type { LogFormat } from "./render.ts";

/** What clamd.conf and the command line say about the log. */
export interface LogSettings {
  /** LogSyslog. */
  readonly syslog: boolean;
  /** LogFacility: one of clamd's `LOG_` names. */
  readonly facility: string;
  /** LogFile, a full path, or null. */
  readonly file: string | null;
  /** LogTime. */
  readonly time: boolean;
  /** LogFileMaxSize in bytes; 0: no limit, or the file may be another program's, too. */
  readonly maxSize: number;
  /** `--log-format`. */
  readonly format: LogFormat;
  /** LogVerbose. */
  readonly verbose: boolean;
  /** LogClean. */
  readonly clean: boolean;
  /** `--debug-level` from 0 to 9; `--debug` and `Debug yes` are 4. */
  readonly debugLevel: number;
}

/** A trace that is asked for is shown: it is of the level of LogVerbose. */
export function isVerbose({ verbose, debugLevel }: Pick<LogSettings, "verbose" | "debugLevel">): boolean {
  return verbose || debugLevel > 0;
}

/** What else decides where the log goes. */
export interface LogFacts {
  readonly foreground: boolean;
  /** Which process has LogFile locked, 0: it is not known which, null: none. */
  readonly fileHolder: number | null;
}

/** Where the log goes. */
export interface LogChoice {
  readonly standardError: boolean;
  readonly syslog: boolean;
  readonly file: boolean;
  /** What the administrator may not expect. */
  readonly notices: readonly string[];
}

/** Whether LogFile is looked at, and opened, at all. */
export function wantsFile(settings: LogSettings): boolean {
  return settings.file !== null && !settings.syslog;
}

/**
 * Decisions 2: syslog when LogSyslog is on or another process has LogFile locked, otherwise LogFile; in the
 * foreground always standard error, too. A daemon for which neither is set logs to syslog.
 */
export function chooseSinks(settings: LogSettings, facts: LogFacts): LogChoice {
  const standardError = facts.foreground;
  if (settings.syslog) return { standardError, syslog: true, file: false, notices: [] };
  if (settings.file === null) {
    const notices = facts.foreground ? [] : ["neither LogSyslog nor LogFile is set: logging to syslog"];
    return { standardError, syslog: !facts.foreground, file: false, notices };
  }
  if (facts.fileHolder === null) return { standardError, syslog: false, file: true, notices: [] };
  const holder = facts.fileHolder === 0 ? "" : ` (process ${facts.fileHolder})`;
  const notice = `LogFile ${settings.file} is another program's${holder}, which has it locked: logging to syslog`;
  return { standardError, syslog: true, file: false, notices: [notice] };
}
