import { posix } from "node:path";
import type { GivenOptions } from "../cli/command-line.ts";
import { EXIT, StartError } from "../cli/start-error.ts";
import type { LogSettings } from "../log/choice.ts";
import { booleanOf, type ClamdConf, sizeOf, textOf } from "./clamd-conf.ts";

/** What `--debug` and `Debug yes` stand for: connexions and commands (CB 1.8). */
const DEBUG_LEVEL = 4;

/**
 * How to log, by clamd.conf and the command line (CB 2.2, decisions 2).
 * @throws StartError `CONFIG_FILE` (78) when LogFile is no full path
 */
export function resolveLogSettings(options: GivenOptions, conf: ClamdConf): LogSettings {
  const file = textOf(conf, "LogFile");
  if (file !== null && !posix.isAbsolute(file)) {
    const message = `${conf.file}: LogFile: expected a full path name; given: ${JSON.stringify(file.slice(0, 200))}`;
    throw new StartError("CONFIG_FILE", EXIT.CONFIG, message);
  }
  return {
    syslog: booleanOf(conf, "LogSyslog"),
    facility: textOf(conf, "LogFacility") ?? "LOG_LOCAL6",
    file,
    time: booleanOf(conf, "LogTime"),
    // A clamd without a lock may write the file as well, unseen: its size is not ours to limit then.
    maxSize: booleanOf(conf, "LogFileUnlock") ? 0 : sizeOf(conf, "LogFileMaxSize"),
    format: options.values["log-format"] === "json" ? "json" : "text",
    verbose: booleanOf(conf, "LogVerbose"),
    clean: booleanOf(conf, "LogClean"),
    debugLevel: debugLevel(options, conf),
  };
}

/** The level that is given in so many words counts before `--debug`, and the command line before clamd.conf. */
function debugLevel({ values }: GivenOptions, conf: ClamdConf): number {
  const level = values["debug-level"];
  if (typeof level === "string") return Number(level);
  return values.debug === true || booleanOf(conf, "Debug") ? DEBUG_LEVEL : 0;
}
