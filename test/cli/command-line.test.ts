import { describe, expect, test } from "bun:test";
import { type CommandLine, parseCommandLine } from "../../src/cli/command-line.ts";
import { OPTIONS } from "../../src/cli/options.ts";
import { startFailure } from "./start-failure.ts";

function run(...argv: string[]): Extract<CommandLine, { action: "run" }> {
  const line = parseCommandLine(argv);
  if (line.action !== "run") throw new Error(`expected action run, not ${line.action}`);
  return line;
}

/** For each option with an argument: values that are taken, and values that are refused with what is said. */
const VALUES: Readonly<
  Record<string, { good: readonly string[]; bad: readonly (readonly [string, string])[] }>
> = {
  server: {
    good: ["localhost", "a:b:[2001:db8::1]", "192.0.2.1"],
    bad: [
      ["", "separated by colons"],
      ["a b", "separated by colons"],
      ["::1", "square brackets"],
      ["1.2.3", "separated by colons"],
    ],
  },
  "wait-for-clamd": {
    good: ["0", "120", "86400"],
    bad: numbers(["-1", "86401", "", "x", "1.5", "1s"], 0, 86400),
  },
  "config-file": { good: ["/etc/x", "x"], bad: [["", "the name of a file"]] },
  "freshclam-monitor": {
    good: ["1", "300"],
    bad: [
      ["x", "whole number"],
      ["", "whole number"],
      ["5m", "whole number"],
    ],
  },
  "scan-timeout": { good: ["1", "86400"], bad: numbers(["0", "86401", "x"], 1, 86400) },
  canary: { good: ["0", "3600"], bad: numbers(["-1", "x"], 0, 31_536_000) },
  ignore: {
    good: ["192.0.2.0/24", "2001:db8::/32", "192.0.2.1", "::1"],
    bad: [
      ["", "a network such as"],
      ["192.0.2.0/33", "a network such as"],
      ["localhost", "a network such as"],
      ["10/8", "a network such as"],
    ],
  },
  "skip-authenticated": {
    good: ["", "a", "a,b@c"],
    bad: [
      ["a,,b", "separated by commas"],
      ["a b", "separated by commas"],
    ],
  },
  "whitelist-file": { good: ["/x"], bad: [["", "the name of a file"]] },
  "blacklist-time": { good: ["0", "60"], bad: numbers(["-1", "x", "60s"], 0, 31_536_000) },
  "dont-blacklist": {
    good: ["192.0.2.1", "192.0.2.1,,2001:db8::1"],
    bad: [
      ["", "IP addresses separated by commas"],
      ["x", 'not "x"'],
      ["192.0.2.0/24", 'not "192.0.2.0/24"'],
    ],
  },
  quarantine: mailAddresses(),
  "quarantine-dir": {
    good: ["/q"],
    bad: [
      ["q", "begins with /"],
      ["", "begins with /"],
    ],
  },
  "on-oversize": {
    good: ["accept", "tempfail", "reject"],
    bad: [
      ["", "one of"],
      ["ACCEPT", "one of"],
      ["drop", "one of"],
    ],
  },
  "max-message-size": {
    good: ["1", "10M", "1g", "512K"],
    bad: [
      ["0", "bytes above 0"],
      ["0M", "bytes above 0"],
      ["1T", "bytes above 0"],
      ["-1", "bytes above 0"],
      ["", "bytes"],
    ],
  },
  "signature-file": { good: ["/x"], bad: [["", "the name of a file"]] },
  postmaster: mailAddresses(),
  from: {
    good: ["", "MAILER-DAEMON", "Virus Scanner <v@example.org>"],
    bad: [["a\nBcc: b", "control characters"]],
  },
  "template-file": { good: ["/x"], bad: [["", "the name of a file"]] },
  "template-headers": { good: ["/x"], bad: [["", "the name of a file"]] },
  "sendmail-bin": {
    good: ["/usr/sbin/sendmail"],
    bad: [
      ["sendmail", "begins with /"],
      ["", "begins with /"],
    ],
  },
  "report-phish": mailAddresses(),
  "report-phish-false-positives": mailAddresses(),
  broadcast: {
    good: ["", "eth0", "br-lan.5"],
    bad: [
      ["a/b", "network interface"],
      ["sixteencharacters", "network interface"],
    ],
  },
  "max-children": {
    good: ["0", "20", "100000"],
    bad: numbers(["-5", "100001", "x", "1e3", "0x10", ""], 0, 100_000),
  },
  timeout: { good: ["0", "300"], bad: numbers(["-1", "86401", "x"], 0, 86_400) },
  pidfile: {
    good: ["/run/x.pid"],
    bad: [
      ["x.pid", "begins with /"],
      ["", "begins with /"],
    ],
  },
  chroot: { good: ["/jail"], bad: [["", "the name of a directory"]] },
  "socket-mode": {
    good: ["0660", "777"],
    bad: [
      ["888", "octal"],
      ["66", "octal"],
      ["1660", "octal"],
      ["", "octal"],
    ],
  },
  "socket-group": {
    good: ["mail", "postfix", "1000"],
    bad: [
      ["", "group"],
      ["a b", "group"],
      ["-x", "group"],
    ],
  },
  "spool-dir": { good: ["/var/spool/x"], bad: [["spool", "begins with /"]] },
  "sendmail-cf": { good: ["", "/etc/mail/sendmail.cf"], bad: [["a\0b", "the name of a file"]] },
  "debug-level": { good: ["0", "9"], bad: numbers(["-1", "10", "x", ""], 0, 9) },
  "log-format": {
    good: ["text", "json"],
    bad: [
      ["xml", "one of text, json"],
      ["", "one of"],
    ],
  },
};

function numbers(values: readonly string[], least: number, most: number): (readonly [string, string])[] {
  return values.map((value) => [value, `from ${least} to ${most}`] as const);
}

function mailAddresses() {
  const expected = "one mail address without brackets";
  const bad = ["", "<a@b>", "a b", "a,b", "-x@y", "a\n@b", "a;b", "a|b"].map(
    (value) => [value, expected] as const,
  );
  return { good: ["postmaster", "a@example.org", "a+b@[192.0.2.1]"], bad };
}

describe("arguments", () => {
  for (const { long, argument, checkExit } of OPTIONS) {
    if (argument === "none") {
      test(`--${long} is a flag`, () => {
        if (long === "help" || long === "version")
          return expect(parseCommandLine([`--${long}`]).action).toBe(long);
        expect(run(`--${long}`, "/s").options).toEqual({ values: { [long]: true }, ignore: [] });
      });
      continue;
    }
    test(`--${long} takes good values`, () => {
      const values = VALUES[long];
      if (values === undefined) throw new Error(`no test values for --${long}`);
      for (const value of values.good) {
        const { options } = run(`--${long}=${value}`, "/s");
        if (long === "ignore") expect(options.ignore).toHaveLength(1);
        else expect(options).toEqual({ values: { [long]: value }, ignore: [] });
      }
    });
    test(`--${long} refuses bad values`, () => {
      for (const [value, expected] of VALUES[long]?.bad ?? []) {
        const error = startFailure(() => run(`--${long}=${value}`, "/s"));
        expect(error).toMatchObject({ code: "BAD_VALUE", exitCode: long === "pidfile" ? 78 : 64 });
        expect(error.exitCode).toBe(checkExit);
        expect(error.message).toStartWith(`--${long}: expected `);
        expect(error.message).toContain(expected);
        expect(error.message).not.toContain("\n");
      }
    });
  }
});

describe("the command line as a whole", () => {
  test("an init script's usual line", () => {
    const line = run(
      "-oln",
      "-m",
      "20",
      "--quiet",
      "unix:/run/milter.sock",
      "-c/etc/clamd.conf",
      "inet:8891@127.0.0.1",
    );
    expect(line.options.values).toEqual({
      outgoing: true,
      local: true,
      noxheader: true,
      "max-children": "20",
      quiet: true,
      "config-file": "/etc/clamd.conf",
    });
    expect(line.sockets.map((socket) => socket.text)).toEqual([
      "unix:/run/milter.sock",
      "inet:8891@127.0.0.1",
    ]);
  });

  test("the last of several values counts", () => {
    expect(run("-m4", "-m8", "--max-children=6", "-Bx", "-B", "/s").options.values).toEqual({
      "max-children": "6",
      broadcast: "",
    });
  });

  test("an optional argument that is left out is empty", () => {
    expect(run("--from", "-B", "--skip-authenticated", "/s").options.values).toEqual({
      from: "",
      broadcast: "",
      "skip-authenticated": "",
    });
  });

  test("arguments that look like options or booleans stay what they are", () => {
    expect(run("-c", "--no-local", "-t", "false", "-W", "-x", "/s").options.values).toEqual({
      "config-file": "--no-local",
      "template-file": "false",
      "whitelist-file": "-x",
    });
  });

  test("--ignore adds up, eight times at most", () => {
    const eight = Array.from({ length: 8 }, (_, index) => `-I10.${index}.0.0/16`);
    expect(run(...eight, "/s").options.ignore).toHaveLength(8);
    expect(run("-I10.1.2.3/8", "--ignore", "2001:DB8::1/32", "/s").options.ignore).toEqual([
      "10.0.0.0/8",
      "2001:db8::/32",
    ]);
    expect(startFailure(() => run(...eight, "--ignore=::1", "/s"))).toMatchObject({
      code: "TOO_MANY",
      exitCode: 64,
      message: "--ignore: can be given 8 times at most",
    });
  });

  test("a socket address is needed, and only once", () => {
    expect(startFailure(() => run("-e"))).toMatchObject({ code: "NO_SOCKET", exitCode: 64 });
    expect(startFailure(() => run("-e")).message).toContain("unix:/");
    expect(startFailure(() => run("/a", "local:/a"))).toMatchObject({ code: "SOCKET_ADDRESS", exitCode: 64 });
    expect(startFailure(() => run("/a", "bad"))).toMatchObject({ code: "SOCKET_ADDRESS", exitCode: 64 });
  });
});

describe("--help and --version act where they stand", () => {
  test("what follows is not looked at", () => {
    expect(parseCommandLine(["-h", "--nope"])).toEqual({ action: "help" });
    expect(parseCommandLine(["--help", "-V", "bad"])).toEqual({ action: "help" });
    expect(parseCommandLine(["-eh"])).toEqual({ action: "help" });
    expect(parseCommandLine(["-V", "-h"])).toEqual({
      action: "version",
      options: { values: {}, ignore: [] },
    });
  });

  test("an earlier error wins", () => {
    expect(startFailure(() => parseCommandLine(["--nope", "-h"]))).toMatchObject({ code: "UNKNOWN_OPTION" });
    expect(startFailure(() => parseCommandLine(["-x", "99", "-V"]))).toMatchObject({ code: "BAD_VALUE" });
  });

  test("--version knows what was given before it", () => {
    expect(parseCommandLine(["-ec", "/c", "-V", "-n"])).toEqual({
      action: "version",
      options: { values: { external: true, "config-file": "/c" }, ignore: [] },
    });
  });
});
