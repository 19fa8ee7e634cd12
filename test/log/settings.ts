import type { LogSettings } from "../../src/log/choice.ts";

/** The settings of a clamd.conf without a word about logs, with changes. */
export function logSettings(changes: Partial<LogSettings> = {}): LogSettings {
  return {
    syslog: false,
    facility: "LOG_LOCAL6",
    file: null,
    time: false,
    maxSize: 1024 * 1024,
    format: "text",
    verbose: false,
    clean: false,
    debugLevel: 0,
    ...changes,
  };
}
