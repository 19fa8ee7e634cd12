import { expect, test } from "bun:test";
import { chooseSinks, type LogSettings, wantsFile } from "../../src/log/choice.ts";
import { logSettings } from "./settings.ts";

const FILE = { file: "/var/log/x" };
const LOCKED = "LogFile /var/log/x is another program's (process 12), which has it locked: logging to syslog";
const UNKNOWN = "LogFile /var/log/x is another program's, which has it locked: logging to syslog";
const NEITHER = "neither LogSyslog nor LogFile is set: logging to syslog";

type Row = readonly [string, Partial<LogSettings>, number | null, boolean, string, readonly string[]];

const ROWS: readonly Row[] = [
  ["nothing set, daemon", {}, null, false, "syslog", [NEITHER]],
  ["nothing set, foreground", {}, null, true, "stderr", []],
  ["LogSyslog, daemon", { syslog: true }, null, false, "syslog", []],
  ["LogSyslog, foreground", { syslog: true }, null, true, "stderr syslog", []],
  ["LogFile, daemon", FILE, null, false, "file", []],
  ["LogFile, foreground", FILE, null, true, "stderr file", []],
  ["LogFile locked, daemon", FILE, 12, false, "syslog", [LOCKED]],
  ["LogFile locked, foreground", FILE, 12, true, "stderr syslog", [LOCKED]],
  ["LogFile locked by nobody knows whom", FILE, 0, false, "syslog", [UNKNOWN]],
  ["both, daemon", { ...FILE, syslog: true }, null, false, "syslog", []],
  ["both, foreground", { ...FILE, syslog: true }, null, true, "stderr syslog", []],
];

test.each(ROWS)("%s", (_, changes, fileHolder, foreground, where, notices) => {
  const settings = logSettings(changes);
  const choice = chooseSinks(settings, { foreground, fileHolder });
  const names = { standardError: "stderr", syslog: "syslog", file: "file" } as const;
  const chosen = (["standardError", "syslog", "file"] as const).filter((name) => choice[name]);
  expect(chosen.map((name) => names[name]).join(" ")).toBe(where);
  expect(choice.notices).toEqual([...notices]);
  // A file that is written must have been looked at before.
  if (choice.file) expect(wantsFile(settings)).toBe(true);
});
