import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LogSettings } from "../../src/log/choice.ts";
import { type OpenedLog, openLog } from "../../src/log/open-log.ts";
import { systemLogEdge } from "../../src/log/system-edge.ts";
import { startFailure } from "../cli/start-failure.ts";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { until } from "../lab/wait.ts";
import { logSettings } from "./settings.ts";
import { type Syslogd, startSyslogd } from "./syslogd.ts";

let folder: LabFolder;
let file = "";
let syslogd: Syslogd;
const opened: OpenedLog[] = [];

beforeEach(() => {
  folder = plainFolder();
  file = join(folder.path, "milter.log");
  syslogd = startSyslogd(join(folder.path, "dev-log"));
});

afterEach(() => {
  for (const each of opened.splice(0)) each.close();
  syslogd.stop();
  folder.remove();
});

/** A log of a daemon, or in the foreground with what goes to standard error. */
function open(changes: Partial<LogSettings>, foreground?: string[], syslogPath?: string): OpenedLog {
  const edge = systemLogEdge(foreground !== undefined, syslogPath ?? join(folder.path, "dev-log"));
  const standardError = () => ({
    write: (bytes: Uint8Array) => {
      foreground?.push(Buffer.from(bytes).toString());
      return bytes.length;
    },
    close: () => {},
  });
  const log = openLog(logSettings(changes), { ...edge, standardError });
  opened.push(log);
  return log;
}

function lines(path = file): string[] {
  return readFileSync(path, "utf8").split("\n").slice(0, -1);
}

describe("a log goes", () => {
  test("to the file", () => {
    const { log, notices } = open({ file });
    log("error", "one\ntwo");
    log("verbose", "not shown");
    expect(lines()).toEqual(["clamav-milter: ERROR: one\\x0atwo"]);
    expect([notices, syslogd.read()]).toEqual([[], []]);
  });

  test("to the file with the time, or as JSON with the time inside", () => {
    open({ file, time: true }).log("info", "one");
    open({ file, time: true, format: "json" }).log("info", "two");
    expect(lines()[0]).toMatch(
      /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} -> clamav-milter: one$/,
    );
    expect(JSON.parse(lines()[1] ?? "")).toMatchObject({ text: "two", pid: process.pid });
  });

  test("to syslog with the facility that is wanted", () => {
    const { log } = open({ syslog: true, file, facility: "LOG_MAIL", verbose: true });
    log("verbose", "one");
    expect(syslogd.read()).toEqual([
      expect.stringMatching(/^<23>\w{3} [ \d]\d [\d:]{8} clamav-milter\[\d+\]: one$/),
    ]);
    expect(existsSync(file)).toBe(false);
  });

  test("in the foreground to standard error as well", () => {
    const shown: string[] = [];
    open({ file }, shown).log("info", "one");
    open({}, shown).log("info", "two");
    expect(shown).toEqual(["clamav-milter: one\n", "clamav-milter: two\n"]);
    expect([lines(), syslogd.read()]).toEqual([["clamav-milter: one"], []]);
  });

  test("to syslog when a daemon has nothing set, with a notice; and says when nobody is there", () => {
    expect(open({}).notices).toEqual(["neither LogSyslog nor LogFile is set: logging to syslog"]);
    expect(open({ syslog: true }, undefined, join(folder.path, "none")).notices).toEqual([
      "syslogd does not answer; log lines wait for it, a thousand at most",
    ]);
  });

  test("nowhere after its end", () => {
    const { log, close } = open({ file });
    close();
    log("info", "late");
    expect(lines()).toEqual([]);
  });
});

describe("a trace that is asked for", () => {
  test("shows without LogVerbose", () => {
    open({ file, debugLevel: 4 }).log("verbose", "talk");
    expect(lines()).toEqual(["clamav-milter: talk"]);
  });
});

describe("a file that cannot be opened ends the start with 78", () => {
  test.each([
    ["none/log", "the directory does not exist"],
    ["directory", "it is a directory"],
    ["plain/log", "a part of the path is not a directory"],
  ])("%s", (name, reason) => {
    mkdirSync(join(folder.path, "directory"));
    writeFileSync(join(folder.path, "plain"), "");
    const path = join(folder.path, name);
    const error = startFailure(() => open({ file: path }));
    expect(error).toMatchObject({ code: "LOG_FILE", exitCode: 78 });
    expect(error.message).toBe(`cannot open LogFile ${path}: ${reason}`);
  });
});

describe("reopening", () => {
  test("goes on in a new file after the old one was moved", () => {
    const { log, reopen } = open({ file });
    log("info", "one");
    renameSync(file, `${file}.1`);
    log("info", "two");
    reopen();
    log("info", "three");
    expect([lines(`${file}.1`), lines()]).toEqual([
      ["clamav-milter: one", "clamav-milter: two"],
      ["clamav-milter: three"],
    ]);
  });

  test("stays with the old file when there can be no new one, and says why", () => {
    const { log, reopen } = open({ file });
    renameSync(file, `${file}.1`);
    mkdirSync(file);
    reopen();
    log("info", "on");
    expect(lines(`${file}.1`)).toEqual([
      `clamav-milter: ERROR: the log goes on where it was: cannot open LogFile ${file}: it is a directory`,
      "clamav-milter: on",
    ]);
  });

  test("begins anew after LogFileMaxSize, and says what is missing", () => {
    const { log, reopen } = open({ file, maxSize: 20 });
    for (const text of ["123456789", "note", "lost", "lost"]) log("info", text);
    renameSync(file, `${file}.1`);
    reopen();
    expect(lines(`${file}.1`)).toEqual([
      "clamav-milter: 123456789",
      "clamav-milter: WARNING: LogFileMaxSize (20 bytes) is exceeded: nothing more is logged here",
    ]);
    expect(lines()).toEqual(["clamav-milter: WARNING: 3 lines were lost here"]);
  });

  test("keeps what waits for syslogd", () => {
    syslogd.stop();
    const { log, reopen, close } = open({ syslog: true });
    log("info", "waiting");
    reopen();
    syslogd = startSyslogd(join(folder.path, "dev-log"));
    close();
    expect(syslogd.read()).toEqual([expect.stringContaining(": waiting")]);
  });
});

describe("with a clamd that has the file locked", () => {
  let clamd: Clamd | undefined;
  afterEach(() => clamd?.stop());

  test("the log goes to syslog, says so, and leaves clamd's file alone", async () => {
    clamd = await startClamd({ folder: folder.path, conf: { LogFile: file } });
    chmodSync(file, 0o600);
    const before = readFileSync(file, "utf8");
    const first = open({ file });
    expect(first.notices).toEqual([
      `LogFile ${file} is another program's (process ${clamd.pid}), which has it locked: logging to syslog`,
    ]);
    first.log("info", "one");
    expect(syslogd.read()).toEqual([expect.stringContaining(": one")]);
    expect(readFileSync(file, "utf8")).toBe(before);
    // clamd goes on to write, and can be started anew: we hold no lock.
    expect(await clamd.ask(`SCAN ${clamd.confPath}`)).toEndWith(": OK");
    await until(() => lines().at(-1)?.endsWith(": OK"), { what: "clamd's line of the scan" });
    await clamd.restart();
    expect(await clamd.ask("PING")).toBe("PONG");
  }, 60_000);

  test("one that comes later writes between our lines, and after a reopening we go to syslog", async () => {
    const { log, reopen } = open({ file, maxSize: 100 });
    log("info", "one");
    clamd = await startClamd({ folder: folder.path, conf: { LogFile: file } });
    // The size is now not ours to limit.
    for (let at = 0; at < 50; at++) log("info", `between ${at}`);
    expect(await clamd.ask(`SCAN ${clamd.confPath}`)).toEndWith(": OK");
    await until(() => lines().at(-1)?.endsWith(": OK"), { what: "clamd's line of the scan" });
    const ours = lines().filter((line) => line.startsWith("clamav-milter: "));
    expect(ours).toHaveLength(51);
    // clamd puts the time in front of what it says.
    const others = lines().filter((line) => !line.startsWith("clamav-milter: ") && line !== "");
    for (const line of others) expect(line).toMatch(/^\w{3} \w{3} .* -> /);
    reopen();
    log("info", "after");
    const messages = syslogd.read();
    expect(messages.at(-1)).toContain(": after");
    expect(messages.join("\n")).toContain(`LogFile ${file} is another program's`);
    expect(lines().at(-1)).not.toContain("after");
  }, 60_000);
});

test("a file of another user's is no file for us", () => {
  // The tests may run as root, who is refused nothing.
  const openFile = (): never => {
    throw Object.assign(new Error("EACCES"), { code: "EACCES" });
  };
  const error = startFailure(() => openLog(logSettings({ file }), { ...systemLogEdge(false), openFile }));
  expect(error.message).toBe(`cannot open LogFile ${file}: the program's user has no right to it`);
});
