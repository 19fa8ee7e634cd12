import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSettings, type StartEdge } from "../../src/config/start-settings.ts";
import { systemEdge } from "../../src/config/system-edge.ts";
import { startFailure } from "../cli/start-failure.ts";

const CONF = "LocalSocket /run/clamd.ctl\nTCPSocket 3310\n";

/** A system with one clamd.conf, where every file can be read and /q is a safe directory. */
function edge(more: Partial<StartEdge> = {}, conf = CONF): StartEdge {
  return {
    uid: 0,
    env: {},
    cwd: "/",
    readFile: (path) => {
      if (path === "/etc/clamav/clamd.conf") return conf;
      throw Object.assign(new Error(`ENOENT: ${path}`), { code: "ENOENT" });
    },
    realPath: (path) => path,
    stat: () => ({ mode: 0o40700, directory: true }),
    access: () => {},
    ...more,
  };
}

function start(text: string, around: StartEdge = edge()) {
  return readSettings(text.split(" "), around);
}

test("a command line that works now", () => {
  const request = start("-e --foreground -oln -c /etc/clamav/clamd.conf /s");
  expect(request).toMatchObject({
    action: "run",
    settings: { configFile: "/etc/clamav/clamd.conf", foreground: true, scanLocal: true, addHeaders: false },
  });
});

test("Foreground yes stands for --foreground", () => {
  expect(start("-e /s", edge({}, `${CONF}Foreground yes`))).toMatchObject({ settings: { foreground: true } });
});

test("TMPDIR comes from the environment", () => {
  const request = start("-e --foreground /s", edge({ env: { TMPDIR: "/t" } }));
  expect(request).toMatchObject({ settings: { temporaryDirectory: "/t" } });
});

describe("the order of errors", () => {
  const cases: readonly (readonly [string, StartEdge, number, string])[] = [
    ["syntax before all else", edge({}, "Bogus"), 64, "-A --nope"],
    ["ranges", edge(), 64, "-e -A -m x /s"],
    ["conflicts", edge(), 64, "-e -A -Q q@example.org /s"],
    ["conflicts of options before clamd.conf", edge({}, "Bogus"), 64, "-s host /s"],
    ["clamd.conf", edge({}, "Bogus yes"), 78, "-e -A /s"],
    ["conflicts with clamd.conf", edge({}, "PhishingSignatures no"), 64, "-r r@b /s"],
    ["no scanner", edge({}, "LogTime yes"), 78, "-e -A /s"],
    ["facts: not root", edge({ uid: 1000 }), 78, "-C /jail /s"],
    [
      "facts: open quarantine directory",
      edge({ stat: () => ({ mode: 0o40755, directory: true }) }),
      78,
      "-U /q /s",
    ],
    ["facts: no quarantine directory", edge({ stat: fails }), 64, "-U /q /s"],
    ["facts: unreadable template", edge({ access: fails }), 78, "-t /t /s"],
    ["facts: unreadable signature", edge({ access: fails }), 64, "-F /f /s"],
  ];
  test.each(cases)("%s", (_, around, exitCode, text) => {
    expect(startFailure(() => start(text, around)).exitCode as number).toBe(exitCode);
  });

  function fails(): never {
    throw new Error("ENOENT: nothing there");
  }
});

describe("--help and --version", () => {
  test("help needs nothing", () => {
    expect(start("-h", edge({}, "Bogus"))).toEqual({ action: "help" });
  });

  test("version without --external asks nobody", () => {
    expect(start("-V", edge({}, "Bogus"))).toEqual({
      action: "version",
      servers: [],
      readTimeout: 0,
      problem: null,
      databaseDirectory: "/var/lib/clamav",
    });
  });

  test("version with --external knows whom to ask", () => {
    expect(start("-e -V")).toEqual({
      action: "version",
      servers: [{ kind: "unix", path: "/run/clamd.ctl", name: "unix:/run/clamd.ctl" }],
      readTimeout: 120,
      problem: null,
      databaseDirectory: null,
    });
  });

  test("version with a broken clamd.conf says so instead of failing", () => {
    expect(start("-e -V", edge({}, "Bogus yes"))).toMatchObject({
      action: "version",
      servers: [],
      problem: expect.stringContaining("/etc/clamav/clamd.conf:1: Bogus: unknown directive"),
    });
  });
});

test("on the real system: files, modes and the user", () => {
  const folder = mkdtempSync(join(tmpdir(), "start-settings-"));
  try {
    const conf = join(folder, "clamd.conf");
    const quarantine = join(folder, "q");
    writeFileSync(conf, CONF);
    mkdirSync(quarantine);
    chmodSync(quarantine, 0o750);
    const real = systemEdge();
    expect(start(`-e --foreground -c ${conf} /s`, real)).toMatchObject({ settings: { configFile: conf } });
    expect(startFailure(() => start(`-e -c ${folder}/none /s`, real))).toMatchObject({ exitCode: 78 });
    expect(startFailure(() => start(`-e -c ${folder} /s`, real))).toMatchObject({ exitCode: 78 });
    expect(startFailure(() => start(`-e -U ${quarantine} -c ${conf} /s`, real)).message).toContain("0750");
    chmodSync(quarantine, 0o700);
    expect(start(`-e -U ${quarantine} -c ${conf} /s`, real)).toMatchObject({ action: "run" });
    expect(startFailure(() => start(`-e -U ${folder}/none -c ${conf} /s`, real)).exitCode).toBe(64);
    expect(startFailure(() => start(`-e -W ${folder}/none -c ${conf} /s`, real)).exitCode).toBe(78);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
