import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { getoptLong } from "../../src/cli/getopt.ts";
import { OPTIONS } from "../../src/cli/options.ts";
import { StartError } from "../../src/cli/start-error.ts";
import { startFailure } from "./start-failure.ts";

/** A command line in short notation: `name=value` for options, bare words for operands. */
function read(...argv: string[]): string[] {
  return [...getoptLong(argv, OPTIONS)].map((token) => {
    if (token.kind === "operand") return `[${token.value}]`;
    return token.value === null ? token.option.long : `${token.option.long}=${token.value}`;
  });
}

describe("forms of every option", () => {
  for (const option of OPTIONS) {
    const { long, short, hiddenShort } = option;
    const letters = [short, hiddenShort].filter((letter) => letter !== "");

    test(`--${long}`, () => {
      if (option.argument === "none") {
        expect(read(`--${long}`, "x")).toEqual([long, "[x]"]);
        expect(startFailure(() => read(`--${long}=x`))).toMatchObject({
          code: "UNEXPECTED_ARGUMENT",
          exitCode: 64,
          message: `--${long}: takes no argument, but "x" was given`,
        });
        return;
      }
      expect(read(`--${long}=x`, "y")).toEqual([`${long}=x`, "[y]"]);
      expect(read(`--${long}=`)).toEqual([`${long}=`]);
      expect(read(`--${long}=a=b`)).toEqual([`${long}=a=b`]);
      if (option.argument === "optional") {
        expect(read(`--${long}`, "x")).toEqual([long, "[x]"]);
        expect(read(`--${long}`)).toEqual([long]);
        return;
      }
      expect(read(`--${long}`, "x", "y")).toEqual([`${long}=x`, "[y]"]);
      expect(read(`--${long}`, "--")).toEqual([`${long}=--`]);
      const error = startFailure(() => read(`--${long}`));
      expect(error).toMatchObject({ code: "MISSING_ARGUMENT", exitCode: 64 });
      expect(error.message).toContain(`--${long}: needs an argument: --${long}=`);
    });

    test.each(letters)(`-%s for --${long}`, (letter) => {
      if (option.shortArgument === "none") {
        expect(read(`-${letter}e`, "x")).toEqual([long, "external", "[x]"]);
        return;
      }
      expect(read(`-${letter}x`, "y")).toEqual([`${long}=x`, "[y]"]);
      expect(read(`-e${letter}=x`)).toEqual(["external", `${long}==x`]);
      if (option.shortArgument === "optional") {
        expect(read(`-${letter}`, "x")).toEqual([long, "[x]"]);
        return;
      }
      expect(read(`-e${letter}`, "-5", "y")).toEqual(["external", `${long}=-5`, "[y]"]);
      const error = startFailure(() => read(`-${letter}`));
      expect(error).toMatchObject({ code: "MISSING_ARGUMENT", exitCode: 64 });
      expect(error.message).toContain(`--${long}: needs an argument: -${letter} `);
    });
  }
});

describe("getopt_long habits", () => {
  const cases: readonly (readonly [string, string[], string[]])[] = [
    ["cluster", ["-oln"], ["outgoing", "local", "noxheader"]],
    ["cluster that ends with an argument", ["-olm20", "x"], ["outgoing", "local", "max-children=20", "[x]"]],
    ["cluster, argument detached", ["-olc", "/x"], ["outgoing", "local", "config-file=/x"]],
    ["options behind operands", ["/a", "-e", "/b", "--local"], ["[/a]", "external", "[/b]", "local"]],
    ["-- ends options", ["-e", "--", "-l", "--", "--nope"], ["external", "[-l]", "[--]", "[--nope]"]],
    ["a dash alone is an operand", ["-"], ["[-]"]],
    ["empty word is an operand", [""], ["[]"]],
    ["optional argument attached", ["-Beth0", "--broadcast=eth1"], ["broadcast=eth0", "broadcast=eth1"]],
    ["optional argument takes no word", ["--broadcast", "unix:/x"], ["broadcast", "[unix:/x]"]],
    ["-a needs one, --from does not", ["-a", "x@y", "--from"], ["from=x@y", "from"]],
    ["order is kept", ["-m1", "--max-children=2"], ["max-children=1", "max-children=2"]],
    ["--ignore NET", ["--ignore", "10.0.0.0/8", "-I::/0"], ["ignore=10.0.0.0/8", "ignore=::/0"]],
  ];
  test.each(cases)("%s", (_, argv, expected) => {
    expect(read(...argv)).toEqual(expected);
  });
});

describe("abbreviations", () => {
  const good: readonly (readonly [string, string])[] = [
    ["--blacklist=60", "blacklist-time=60"],
    ["--max=4", "max-children=4"],
    ["--max-m=4", "max-message-size=4"],
    ["--sendmail=/x", "sendmail-cf=/x"],
    ["--fore", "foreground"],
    ["--fo", "force-scan"],
    ["--sign", "sign"],
    ["--signa=/x", "signature-file=/x"],
    ["--quarantine=x", "quarantine=x"],
    ["--quarantine-=x", "quarantine-dir=x"],
    ["--report-phish=x", "report-phish=x"],
    ["--report-phish-=x", "report-phish-false-positives=x"],
    ["--debug", "debug"],
    ["--debug-=3", "debug-level=3"],
    ["--ext", "external"],
    ["--no-", "no-check-cf"],
  ];
  test.each(good)("%s is %s", (word, expected) => {
    expect(read(word)).toEqual([expected]);
  });

  const ambiguous: readonly (readonly [string, readonly string[]])[] = [
    ["--no", ["--noreject", "--noxheader", "--no-check-cf"]],
    ["--dont", ["--dont-scan-on-error", "--dont-blacklist", "--dont-sanitise", "--dont-wait"]],
    ["--template=x", ["--template-file", "--template-headers"]],
    ["--black", ["--black-hole-mode", "--blacklist-time"]],
    ["--quar=x", ["--quarantine", "--quarantine-dir"]],
    ["--socket=x", ["--socket-mode", "--socket-group"]],
  ];
  test.each(ambiguous)("%s is ambiguous, and the candidates are named", (word, candidates) => {
    const error = startFailure(() => read(word));
    expect(error).toMatchObject({ code: "AMBIGUOUS_OPTION", exitCode: 64 });
    for (const candidate of candidates) expect(error.message).toContain(candidate);
  });

  test("every name that is no part of another can be shortened to the part that tells it apart", () => {
    for (const { long, added, argument } of OPTIONS) {
      const rivals = OPTIONS.filter((other) => other.long !== long && (added || !other.added));
      for (let length = 1; length < long.length; length++) {
        const part = long.slice(0, length);
        if (
          OPTIONS.some((other) => other.long === part) ||
          rivals.some((other) => other.long.startsWith(part))
        ) {
          continue;
        }
        expect(read(argument === "none" ? `--${part}` : `--${part}=x`)[0]?.split("=")[0]).toBe(long);
      }
    }
  });
});

describe("unknown options", () => {
  const cases: readonly (readonly [string[], string])[] = [
    [["--extrenal"], "--extrenal: unknown option, did you mean --external?"],
    [["--Local"], "--Local: unknown option, did you mean --local?"],
    [["--max-childern=3"], "--max-childern: unknown option, did you mean --max-children?"],
    [["--frobnicate"], "--frobnicate: unknown option, see --help"],
    [["--=x"], "--: unknown option, see --help"],
    [["-Z"], "-Z: unknown option, see --help"],
    [["-eZl"], '-Z: unknown option (in "-eZl"), see --help'],
    [["-version"], '-v: unknown option (in "-version"), did you mean --version?'],
    [["--bad\nname"], "--bad?name: unknown option, see --help"],
  ];
  test.each(cases)("%p", (argv, message) => {
    expect(startFailure(() => read(...argv))).toMatchObject({
      code: "UNKNOWN_OPTION",
      exitCode: 64,
      message,
    });
  });

  test("an earlier token is handed out before a later error", () => {
    const tokens = getoptLong(["-e", "--nope"], OPTIONS);
    expect(tokens.next().value).toMatchObject({ kind: "option", option: { long: "external" } });
    expect(() => tokens.next()).toThrow(StartError);
  });
});

test("whatever the words are, they are read or refused with 64", () => {
  const word = fc.oneof(
    fc.string(),
    fc.string().map((text) => `-${text}`),
    fc.string().map((text) => `--${text}`),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
      try {
        read(...argv);
      } catch (error) {
        expect(error).toBeInstanceOf(StartError);
        expect(error).toMatchObject({ exitCode: 64 });
      }
    }),
  );
});
