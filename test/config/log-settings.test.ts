import { describe, expect, test } from "bun:test";
import { parseClamdConf } from "../../src/config/clamd-conf.ts";
import { resolveLogSettings } from "../../src/config/log-settings.ts";
import type { LogSettings } from "../../src/log/choice.ts";
import { startFailure } from "../cli/start-failure.ts";
import { command } from "./command.ts";

function settings(options: string, conf = ""): LogSettings {
  return resolveLogSettings(command(`${options} /s`).options, parseClamdConf(conf, "/etc/clamd.conf"));
}

test("every directive about logs shows", () => {
  const conf = `LogSyslog yes\nLogFacility log_mail\nLogFile /var/log/x\nLogTime yes\nLogFileMaxSize 5M
LogVerbose yes\nLogClean yes\n`;
  expect(settings("-e", conf)).toEqual({
    syslog: true,
    facility: "LOG_MAIL",
    file: "/var/log/x",
    time: true,
    maxSize: 5_242_880,
    format: "text",
    verbose: true,
    clean: true,
    debugLevel: 0,
  });
});

test("LogFileMaxSize: 1M unless told; none with 0, or when clamd may write unseen", () => {
  expect(settings("-e").maxSize).toBe(1_048_576);
  expect(settings("-e", "LogFileMaxSize 0").maxSize).toBe(0);
  expect(settings("-e", "LogFileMaxSize 2M\nLogFileUnlock yes").maxSize).toBe(0);
});

test("--log-format", () => {
  expect(settings("-e --log-format=json").format).toBe("json");
  expect(settings("-e --log-format=text").format).toBe("text");
});

describe("the level of the trace", () => {
  test.each([
    ["-e", "", 0],
    ["-e -D", "", 4],
    ["-e", "Debug yes", 4],
    ["-e -x 9", "", 9],
    ["-e -D -x 9", "", 9],
    ["-e --debug-level=0", "Debug yes", 0],
    ["-e -D -x 0", "", 0],
  ])("%s with %j", (options, conf, level) => {
    expect(settings(options, conf).debugLevel).toBe(level);
  });
});

describe("what is wrong in clamd.conf ends the start with 78", () => {
  test("a LogFile that is no full path", () => {
    const error = startFailure(() => settings("-e", "LogFile clamd.log"));
    expect(error).toMatchObject({ code: "CONFIG_FILE", exitCode: 78 });
    expect(error.message).toBe('/etc/clamd.conf: LogFile: expected a full path name; given: "clamd.log"');
  });

  test("a LogFacility that there is not", () => {
    const error = startFailure(() => settings("-e", "LogFacility LOCAL6"));
    expect(error).toMatchObject({ code: "CONFIG_FILE", exitCode: 78 });
    expect(error.message).toStartWith("/etc/clamd.conf:1: LogFacility: expected one of LOG_KERN, ");
  });
});
