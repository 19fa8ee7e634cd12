import { describe, expect, test } from "bun:test";
import type { OptionName } from "../../src/cli/options.ts";
import { parseClamdConf } from "../../src/config/clamd-conf.ts";
import { refuseConfigConflicts, refuseOptionConflicts, type StartFacts } from "../../src/config/conflicts.ts";
import { startFailure } from "../cli/start-failure.ts";
import { command } from "./command.ts";

const USER: StartFacts = { uid: 1000, quarantineDirectory: null, unreadable: new Map() };
const ROOT: StartFacts = { ...USER, uid: 0 };

function directory(mode: number, more: { directory?: boolean; writable?: boolean } = {}): StartFacts {
  return { ...USER, quarantineDirectory: { found: true, directory: true, writable: true, mode, ...more } };
}

describe("conflicts between options", () => {
  const cases: readonly (readonly [string, StartFacts, number, string])[] = [
    ["-s host /s", USER, 64, "--server: needs --external"],
    ["-A -Q q@example.org /s", USER, 64, "--advisory: cannot be combined with --quarantine,"],
    ["-e -A -U /q /s", directory(0o40700), 64, "--advisory: cannot be combined with --quarantine-dir,"],
    ["-L -o /s", USER, 78, "--detect-forged-local-address: cannot be combined with --outgoing"],
    ["-L -l /s", USER, 78, "--detect-forged-local-address: cannot be combined with --local"],
    ["-L -f /s", USER, 78, "--detect-forged-local-address: cannot be combined with --force-scan"],
    ["--template-headers=/h /s", USER, 78, "--template-headers: needs --template-file"],
    ["--broadcast=eth0 /s", USER, 64, "--broadcast: only root can choose the interface"],
    ["-C /jail /s", USER, 78, "--chroot: only root can use it"],
    ["-M 0 /s", ROOT, 78, "--freshclam-monitor: expected 1 second or more"],
    ["-M -5 /s", ROOT, 78, "--freshclam-monitor: expected 1 second or more"],
    ["-U /q /s", directory(0o40710), 78, "--quarantine-dir: /q: insecure, its mode is 0710"],
    ["-U /q /s", directory(0o40704), 78, "--quarantine-dir: /q: insecure, its mode is 0704"],
    ["-U /q /s", directory(0o41777), 78, "--quarantine-dir: /q: insecure, its mode is 1777"],
    ["-U /q /s", directory(0o100600, { directory: false }), 64, "--quarantine-dir: /q: expected a directory"],
    [
      "-U /q /s",
      directory(0o40500, { writable: false }),
      64,
      "--quarantine-dir: /q: the program's user cannot write",
    ],
    [
      "-U /q /s",
      { ...USER, quarantineDirectory: { found: false, problem: "no such file" } },
      64,
      "--quarantine-dir: /q: no such file",
    ],
  ];
  test.each(cases)("%s", (text, facts, exitCode, message) => {
    const error = startFailure(() => refuseOptionConflicts(command(text).options, facts));
    expect(error).toMatchObject({ code: "CONFLICT", exitCode });
    expect(error.message).toStartWith(message);
  });

  const files: readonly (readonly [string, OptionName, number])[] = [
    ["-t /f /s", "template-file", 78],
    ["-t /t --template-headers /f /s", "template-headers", 78],
    ["-W /f /s", "whitelist-file", 78],
    ["-F /f /s", "signature-file", 64],
  ];
  test.each(files)("%s with a file that cannot be read", (text, name, exitCode) => {
    const facts = { ...USER, unreadable: new Map([[name, "permission denied"]]) };
    const error = startFailure(() => refuseOptionConflicts(command(text).options, facts));
    expect(error).toMatchObject({ exitCode, message: `--${name}: cannot read /f: permission denied` });
  });

  const peace: readonly (readonly [string, StartFacts])[] = [
    ["-e -s host /s", USER],
    ["-A -N -q /s", USER],
    ["-o -l -f /s", USER],
    ["-L /s", USER],
    ["-t /t --template-headers=/h /s", USER],
    ["--broadcast=eth0 -C /jail /s", ROOT],
    ["--broadcast /s", USER],
    ["-e -M 0 /s", USER],
    ["-M 1 /s", USER],
    ["-U /q /s", directory(0o40700)],
    ["inet:8891 -r a@example.org -l", USER],
  ];
  test.each(peace)("%s is no conflict", (text, facts) => {
    expect(() => refuseOptionConflicts(command(text).options, facts)).not.toThrow();
  });
});

describe("conflicts with clamd.conf", () => {
  const LOCAL = "LocalSocket /run/clamd.ctl\n";
  const TCP = "TCPSocket 3310\n";
  const cases: readonly (readonly [string, string, number, string])[] = [
    [
      "-r a@b /s",
      `${LOCAL}PhishingSignatures no`,
      64,
      "--report-phish: cannot be used with PhishingSignatures no",
    ],
    ["-R a@b /s", "PhishingSignatures no", 64, "--report-phish-false-positives: cannot be used with"],
    ["-e /run/clamd.ctl", LOCAL, 78, 'socket address "unix:/run/clamd.ctl": is clamd\'s own socket'],
    [
      "/a unix:/run//x/../clamd.ctl",
      LOCAL,
      78,
      'socket address "unix:/run//x/../clamd.ctl": is clamd\'s own socket',
    ],
    ["-e inet:3310", TCP, 78, 'socket address "inet:3310": is clamd\'s own'],
    ["-e inet:3310@127.0.0.1", TCP, 78, 'socket address "inet:3310@127.0.0.1": is clamd\'s own'],
    ["-e -s host inet:3310@host", TCP, 78, 'socket address "inet:3310@host": is clamd\'s own'],
    ["-e /s", "LogTime yes", 78, "--external: needs LocalSocket or TCPSocket in /etc/clamd.conf"],
    ["-e /s", "TCPSocket 0", 78, "--external: needs LocalSocket or TCPSocket in /etc/clamd.conf"],
  ];
  test.each(cases)("%s with %p", (text, conf, exitCode, message) => {
    const error = startFailure(() =>
      refuseConfigConflicts(command(text), parseClamdConf(conf, "/etc/clamd.conf")),
    );
    expect(error.exitCode as number).toBe(exitCode);
    expect(error.message).toStartWith(message);
  });

  const peace: readonly (readonly [string, string])[] = [
    ["-r a@b -R a@b /s", LOCAL],
    ["-e /run/other", LOCAL + TCP],
    ["-e inet:3310", LOCAL],
    ["-e inet:3311", TCP],
    ["-e -s other inet:3310", TCP],
    ["/s", "LogTime yes"],
  ];
  test.each(peace)("%s with %p is no conflict", (text, conf) => {
    expect(() => refuseConfigConflicts(command(text), parseClamdConf(conf, "/etc/clamd.conf"))).not.toThrow();
  });
});
