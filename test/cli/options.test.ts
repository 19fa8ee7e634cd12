import { describe, expect, test } from "bun:test";
import { longForm, type OptionSpec, shortForm } from "../../src/cli/option-spec.ts";
import { OPTIONS } from "../../src/cli/options.ts";

/** The man page's OPTIONS section, in its order: letter (or none), name, kind of argument. */
const MAN_PAGE: readonly (readonly [string, string, OptionSpec["argument"]])[] = [
  ["a", "from", "optional"],
  ["h", "help", "none"],
  ["H", "headers", "none"],
  ["V", "version", "none"],
  ["C", "chroot", "required"],
  ["c", "config-file", "required"],
  ["D", "debug", "none"],
  ["x", "debug-level", "required"],
  ["A", "advisory", "none"],
  ["b", "bounce", "none"],
  ["B", "broadcast", "optional"],
  ["d", "dont-scan-on-error", "none"],
  ["f", "force-scan", "none"],
  ["e", "external", "none"],
  ["k", "blacklist-time", "required"],
  ["K", "dont-blacklist", "required"],
  ["l", "local", "none"],
  ["M", "freshclam-monitor", "required"],
  ["n", "noxheader", "none"],
  ["N", "noreject", "none"],
  ["o", "outgoing", "none"],
  ["i", "pidfile", "required"],
  ["p", "postmaster", "required"],
  ["P", "postmaster-only", "none"],
  ["q", "quiet", "none"],
  ["Q", "quarantine", "required"],
  ["r", "report-phish", "required"],
  ["R", "report-phish-false-positives", "required"],
  ["U", "quarantine-dir", "required"],
  ["s", "server", "required"],
  ["S", "sign", "none"],
  ["F", "signature-file", "required"],
  ["m", "max-children", "required"],
  ["", "dont-wait", "none"],
  ["", "dont-sanitise", "none"],
  ["I", "ignore", "required"],
  ["t", "template-file", "required"],
  ["", "template-headers", "required"],
  ["T", "timeout", "required"],
  ["L", "detect-forged-local-address", "none"],
  ["W", "whitelist-file", "required"],
  ["", "sendmail-cf", "required"],
  ["", "black-hole-mode", "none"],
];

/** Long-only options that this program adds (decisions 1). */
const ADDED: readonly (readonly [string, OptionSpec["argument"]])[] = [
  ["foreground", "none"],
  ["sendmail-bin", "required"],
  ["socket-mode", "required"],
  ["socket-group", "required"],
  ["skip-authenticated", "optional"],
  ["wait-for-clamd", "required"],
  ["max-message-size", "required"],
  ["on-oversize", "required"],
  ["spool-dir", "required"],
  ["scan-timeout", "required"],
  ["canary", "required"],
  ["log-format", "required"],
];

/** What the classic took without documenting it. */
const UNDOCUMENTED_LETTERS = {
  w: "dont-wait",
  z: "dont-sanitise",
  "0": "sendmail-cf",
  "1": "template-headers",
  "2": "black-hole-mode",
};

function byName(name: string): OptionSpec {
  const found = OPTIONS.find((option) => option.long === name);
  if (found === undefined) throw new Error(`--${name} is not in the table`);
  return found;
}

describe("the option table", () => {
  test.each(MAN_PAGE)("has -%s, --%s of the man page", (short, name, argument) => {
    const option = byName(name);
    expect(option).toMatchObject({ short, argument, added: false });
  });

  test.each(ADDED)("has the added --%s with a long name only", (name, argument) => {
    expect(byName(name)).toMatchObject({ short: "", hiddenShort: "", argument, added: true });
  });

  test("has the letters that the classic did not document", () => {
    for (const [letter, name] of Object.entries(UNDOCUMENTED_LETTERS)) {
      expect(byName(name).hiddenShort).toBe(letter);
    }
    expect(byName("no-check-cf")).toMatchObject({ argument: "none", added: false });
  });

  test("has nothing else", () => {
    const known = [...MAN_PAGE.map(([, name]) => name), ...ADDED.map(([name]) => name), "no-check-cf"];
    expect(OPTIONS.map((option) => String(option.long)).sort()).toEqual(known.sort());
  });

  test("uses each name and letter once", () => {
    const letters = OPTIONS.flatMap((option) => [option.short, option.hiddenShort]).filter(Boolean);
    expect(new Set(letters).size).toBe(letters.length);
    expect(new Set(OPTIONS.map((option) => option.long)).size).toBe(OPTIONS.length);
  });

  test("only --ignore may be repeated", () => {
    expect(OPTIONS.filter((option) => option.repeatable).map((option) => String(option.long))).toEqual([
      "ignore",
    ]);
  });

  test.each(OPTIONS.map((option) => [option.long, option] as const))("--%s is described", (_, option) => {
    expect(option.help.length).toBeGreaterThan(5);
    expect(option.help).not.toMatch(/\.$|\n/);
    expect(option.manual).toMatch(/^[^\n]{20,}[.)]$/);
    expect(option.metavar === "").toBe(option.argument === "none");
    expect(option.check === null).toBe(option.argument === "none");
  });

  test("forms for help and manual", () => {
    expect([shortForm(byName("from")), longForm(byName("from"))]).toEqual(["-a EMAIL", "--from[=EMAIL]"]);
    expect([shortForm(byName("broadcast")), longForm(byName("broadcast"))]).toEqual([
      "-B[IFACE]",
      "--broadcast[=IFACE]",
    ]);
    expect([shortForm(byName("external")), longForm(byName("external"))]).toEqual(["-e", "--external"]);
    expect([shortForm(byName("canary")), longForm(byName("canary"))]).toEqual(["", "--canary=SECONDS"]);
  });
});
