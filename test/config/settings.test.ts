import { describe, expect, test } from "bun:test";
import { parseClamdConf } from "../../src/config/clamd-conf.ts";
import { resolveSettings, type Settings } from "../../src/config/settings.ts";
import { startFailure } from "../cli/start-failure.ts";
import { command } from "./command.ts";

const LOCAL = "LocalSocket /run/clamd.ctl\nAlertExceedsMax yes\n";
const TCP = "TCPSocket 3310\n";
const QUIET = "-e -q --no-check-cf --foreground";

function settings(text: string, conf: string, uid = 1000, tmpdir?: string): Settings {
  return resolveSettings(command(text), parseClamdConf(conf, "/etc/clamd.conf"), { uid, tmpdir });
}

test("settings with nothing but what is needed", () => {
  const found = settings("-e /s", LOCAL);
  expect(found).toMatchObject({
    sockets: [{ kind: "unix", path: "/s", text: "unix:/s" }],
    configFile: "/etc/clamd.conf",
    foreground: false,
    servers: [{ kind: "unix", path: "/run/clamd.ctl", name: "unix:/run/clamd.ctl" }],
    maxThreads: 10,
    readTimeout: 120,
    streamMaxLength: 104_857_600,
    scanSizeLimit: 104_857_600,
    scanOutgoing: false,
    scanLocal: false,
    forceScan: false,
    ignoreNets: [],
    addHeaders: true,
    acceptOnError: false,
    discardInfected: false,
    quiet: false,
    temporaryDirectory: "/tmp",
    fixStaleSocket: true,
    log: {
      syslog: false,
      facility: "LOG_LOCAL6",
      file: null,
      time: false,
      maxSize: 1_048_576,
      format: "text",
      verbose: false,
      clean: false,
      debugLevel: 0,
    },
  });
});

test("every option that works now shows in the settings", () => {
  expect(settings("-eolfnNdq --foreground -I 192.0.2.9/24 -I ::1 /s inet6:8891@::1", LOCAL)).toMatchObject({
    sockets: [{ text: "unix:/s" }, { text: "inet6:8891@[::1]" }],
    foreground: true,
    scanOutgoing: true,
    scanLocal: true,
    forceScan: true,
    addHeaders: false,
    discardInfected: true,
    acceptOnError: true,
    quiet: true,
    ignoreNets: ["192.0.2.0/24", "::1/128"],
  });
});

test("every directive that works now shows in the settings", () => {
  const conf = `${LOCAL}Foreground yes\nMaxThreads 7\nReadTimeout 0\nStreamMaxLength 5M\nTemporaryDirectory /spool
FixStaleSocket no\nLogClean yes\nLogVerbose yes\n`;
  expect(settings("-e /s", conf, 1000, "/elsewhere")).toMatchObject({
    foreground: true,
    maxThreads: 7,
    readTimeout: 0,
    streamMaxLength: 5_242_880,
    scanSizeLimit: 5_242_880,
    temporaryDirectory: "/spool",
    fixStaleSocket: false,
    log: { clean: true, verbose: true },
  });
});

const PLACES: readonly (readonly [string, string, number, number, boolean])[] = [
  ["-e /s", LOCAL, 10, 300, false],
  ["-e /s", `${LOCAL}MaxThreads 7`, 7, 300, false],
  ["-e -s a:b:c /s", `${TCP}MaxThreads 7`, 21, 300, false],
  ["-e -m 0 -T 0 /s", `${LOCAL}MaxThreads 7`, 7, 0, false],
  ["-e -m 4 -T 60 --dont-wait /s", `${LOCAL}MaxThreads 7`, 4, 60, true],
];
test.each(PLACES)(
  "places for messages in scanning: %s with %p",
  (text, conf, maxChildren, slotTimeout, dontWait) => {
    expect(settings(text, conf)).toMatchObject({ maxChildren, slotTimeout, dontWait });
  },
);

test("TMPDIR is used when clamd.conf names no directory", () => {
  expect(settings("-e /s", LOCAL, 1000, "/elsewhere").temporaryDirectory).toBe("/elsewhere");
  expect(settings("-e /s", LOCAL, 1000, "").temporaryDirectory).toBe("/tmp");
});

const LIMITS: readonly (readonly [string, number, number])[] = [
  ["StreamMaxLength 10M\nMaxScanSize 20M\nMaxFileSize 5M", 10_485_760, 5_242_880],
  ["StreamMaxLength 10M\nMaxScanSize 2M\nMaxFileSize 5M", 10_485_760, 2_097_152],
  ["StreamMaxLength 0\nMaxScanSize 0\nMaxFileSize 5M", 0, 5_242_880],
  ["StreamMaxLength 0\nMaxScanSize 0\nMaxFileSize 0", 0, 0],
  ["StreamMaxLength 1M", 1_048_576, 1_048_576],
];
test.each(LIMITS)("limits of %p", (conf, streamMaxLength, scanSizeLimit) => {
  expect(settings("-e /s", LOCAL + conf)).toMatchObject({ streamMaxLength, scanSizeLimit });
});

describe("servers", () => {
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ["-e /s", LOCAL, ["unix:/run/clamd.ctl"]],
    ["-e /s", TCP, ["127.0.0.1:3310"]],
    ["-e -s host /s", TCP, ["host:3310"]],
    ["-e -s [2001:db8::1]:b /s", "TCPSocket 1", ["[2001:db8::1]:1", "b:1"]],
    ["-e -s host /s", LOCAL + TCP, ["host:3310"]],
    ["-e /s", LOCAL + TCP, ["unix:/run/clamd.ctl"]],
    ["-e -s host /s", LOCAL, ["host:3310"]],
  ];
  test.each(cases)("%s with %p", (text, conf, names) => {
    expect(settings(text, conf).servers.map((server) => server.name)).toEqual([...names]);
  });

  test("an IPv6 server is kept without brackets", () => {
    expect(settings("-e -s [::1] /s", TCP).servers).toEqual([
      { kind: "tcp", host: "::1", port: 3310, name: "[::1]:3310" },
    ]);
  });

  test("two kinds in clamd.conf, or a port that had to be guessed, give a warning", () => {
    expect(settings(`${QUIET} /s`, LOCAL + TCP).warnings[0]).toContain("LocalSocket is used");
    expect(settings(`${QUIET} -s host /s`, LOCAL).warnings[0]).toContain("port 3310");
  });

  test("a LocalSocket that cannot be reached is refused", () => {
    for (const path of ["clamd.ctl", `/${"x".repeat(107)}`]) {
      const error = startFailure(() => settings("-e /s", `LocalSocket ${path}`));
      expect(error).toMatchObject({ code: "NO_SCANNER", exitCode: 78 });
      expect(error.message).toStartWith("/etc/clamd.conf: LocalSocket: expected a full path name");
    }
  });
});

describe("warnings", () => {
  const OPEN = "LocalSocket /run/clamd.ctl\n";
  const cases: readonly (readonly [string, string, string, number, string])[] = [
    ["root", `${QUIET} /s`, LOCAL, 0, "running as root: set User in /etc/clamd.conf"],
    ["inet without --local", `${QUIET} inet:8891`, LOCAL, 1000, "inet:8891 without --local"],
    ["AlertExceedsMax", `${QUIET} /s`, OPEN, 1000, "AlertExceedsMax yes in /etc/clamd.conf"],
    ["AlertExceedsMax, TCP", `${QUIET} /s`, TCP, 1000, "AlertExceedsMax yes"],
    ["the file's own", `${QUIET} /s`, `${LOCAL}ArchiveMaxFiles 5`, 1000, "ArchiveMaxFiles"],
  ];
  test.each(cases)("%s: %s", (_, text, conf, uid, expected) => {
    expect(settings(text, conf, uid).warnings.join("\n")).toContain(expected);
  });

  test("what is off is not mentioned", () => {
    const { warnings } = settings(`${QUIET} /s`, `${LOCAL}User clamav\nDebug no\n`);
    expect(warnings).toEqual([]);
  });

  test("exemptions from a blacklist that there is not", () => {
    const text = "--dont-blacklist without --blacklist-time has no effect";
    expect(settings(`${QUIET} -K 192.0.2.1 /s`, LOCAL).warnings).toContain(text);
    expect(settings(`${QUIET} -K 192.0.2.1 -k 60 /s`, LOCAL).warnings).not.toContain(text);
  });

  test("no word on clamd's limits for a clamd elsewhere", () => {
    expect(settings(`${QUIET} -s scanner.example.org /s`, TCP).warnings.join()).not.toContain(
      "AlertExceedsMax",
    );
  });

  test("--local or --force-scan settles the inet warning", () => {
    for (const flag of ["-l", "-f"]) {
      expect(settings(`${QUIET} ${flag} inet:8891`, LOCAL).warnings.join()).not.toContain("without --local");
    }
  });
});

test("settings are frozen and survive JSON", () => {
  const found = settings("-e -I ::1 -s a:b /s inet:8891", TCP);
  expect(JSON.parse(JSON.stringify(found))).toEqual(found);
  expect(Object.isFrozen(found)).toBeTrue();
  for (const part of [found.sockets, found.sockets[0], found.servers, found.servers[0], found.warnings]) {
    expect(Object.isFrozen(part)).toBeTrue();
  }
});
