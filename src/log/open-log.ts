import { EXIT, StartError } from "../cli/start-error.ts";
import type { AppendedFile, Output } from "../os/log-output.ts";
import { chooseSinks, isVerbose, type LogSettings, wantsFile } from "./choice.ts";
import type { LogEvent, OpenSink } from "./event.ts";
import { FileSink, lostEvent, standardErrorSink } from "./line-sinks.ts";
import { createLog, type Log } from "./log.ts";
import { logLine, type Speaker, syslogMessage } from "./render.ts";
import { type SyslogEdge, SyslogSink } from "./syslog-sink.ts";

/** The outside world as far as a log needs it; see system-edge.ts for the real one. */
export interface LogEdge extends SyslogEdge {
  readonly speaker: Speaker;
  readonly foreground: boolean;
  standardError(): Output;
  /** @throws Error with the `code` of open(2) */
  openFile(path: string): AppendedFile;
}

/** A log with its files and sockets. */
export interface OpenedLog {
  readonly log: Log;
  /** What the administrator should know about where the log goes; not logged yet. */
  readonly notices: readonly string[];
  /**
   * Looks anew where the log is to go, by new settings if they are given, and opens that; where it cannot, the old
   * one stays, and says why.
   */
  reopen(settings?: LogSettings): void;
  close(): void;
}

interface Sinks {
  readonly standardError: OpenSink | null;
  readonly syslog: SyslogSink | null;
  readonly file: FileSink | null;
  readonly notices: readonly string[];
}

const NONE: Sinks = { standardError: null, syslog: null, file: null, notices: [] };

/**
 * Opens the log that the settings ask for.
 * @throws StartError `LOG_FILE` (78) when LogFile cannot be opened
 */
export function openLog(first: LogSettings, edge: LogEdge): OpenedLog {
  let settings = first;
  let sinks = openSinks(settings, edge, NONE);
  const { log, setSinks, setVerbose } = createLog(isVerbose(settings), listOf(sinks));
  return {
    log,
    notices: sinks.notices,
    reopen(next = settings) {
      const old = sinks;
      // What is kept writes as it was told: with another format or facility it is made anew.
      const asBefore = next.format === settings.format && next.facility === settings.facility;
      try {
        sinks = openSinks(next, edge, asBefore ? old : NONE);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        log("error", `the log goes on where it was: ${reason}`);
        return;
      }
      settings = next;
      setVerbose(isVerbose(settings));
      setSinks(listOf(sinks));
      old.file?.close();
      if (sinks.syslog !== old.syslog) old.syslog?.close();
      const lost = old.file?.lost ?? 0;
      if (lost > 0) log("warning", lostEvent(lost).text);
      for (const notice of sinks.notices) if (!old.notices.includes(notice)) log("warning", notice);
    },
    close() {
      setSinks([]);
      for (const sink of listOf(sinks)) sink.close();
      sinks = NONE;
    },
  };
}

function listOf({ standardError, syslog, file }: Sinks): OpenSink[] {
  return [standardError, syslog, file].filter((sink) => sink !== null);
}

/** Files are opened anew; standard error and syslog, which may hold lines that wait, are kept. */
function openSinks(settings: LogSettings, edge: LogEdge, old: Sinks): Sinks {
  const opened = wantsFile(settings) && settings.file !== null ? openFile(settings.file, edge) : null;
  const fileHolder = opened?.lockHolder() ?? null;
  const choice = chooseSinks(settings, { foreground: edge.foreground, fileHolder });
  const lineOf = (event: LogEvent, at: Date): string => logLine(event, at, settings.format, edge.speaker);
  const standardError =
    old.standardError ?? (choice.standardError ? standardErrorSink(edge.standardError(), lineOf) : null);
  const syslog = choice.syslog ? (old.syslog ?? makeSyslog(settings, edge)) : null;
  const notices = [...choice.notices];
  if (syslog?.reachable === false)
    notices.push("syslogd does not answer; log lines wait for it, a thousand at most");
  if (opened === null || !choice.file) {
    opened?.close();
    return { standardError, syslog, file: null, notices };
  }
  // JSON lines have their time inside.
  const timePrefix = settings.time && settings.format === "text";
  const file = new FileSink(opened, { maxSize: settings.maxSize, timePrefix }, lineOf);
  return { standardError, syslog, file, notices };
}

function makeSyslog({ format, facility }: LogSettings, edge: LogEdge): SyslogSink {
  return new SyslogSink(edge, (event, at) => syslogMessage(event, at, format, edge.speaker, facility));
}

/** What can be done about the usual reasons. */
const ADVICE: Readonly<Record<string, string>> = {
  EACCES: "the program's user has no right to it",
  ENOENT: "the directory does not exist",
  ENOTDIR: "a part of the path is not a directory",
  EISDIR: "it is a directory",
  EROFS: "the file system is read-only",
  ENXIO: "it is a pipe or socket that nobody reads",
};

function openFile(path: string, edge: LogEdge): AppendedFile {
  try {
    return edge.openFile(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const why = ADVICE[code] ?? (error instanceof Error ? error.message : String(error));
    throw new StartError("LOG_FILE", EXIT.CONFIG, `cannot open LogFile ${path}: ${why}`);
  }
}
