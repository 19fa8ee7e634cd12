import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachedPart, partCommand } from "../../scripts/debian/parts.ts";
import { parseSocketAddress } from "../../src/cli/socket-address.ts";
import { checkSendmailCf, parseSendmailCf } from "../../src/config/sendmail-cf.ts";
import { DEFAULT_CF_FILES, sendmailCfWarnings } from "../../src/config/sendmail-cf-file.ts";
import { startFailure } from "../cli/start-failure.ts";
import { plainFolder } from "../lab/folder.ts";
import { run, runWell } from "../lab/process.ts";
import { command } from "./command.ts";

const OURS = "unix:/run/clamav-milter/clamav-milter.sock";
const folder = plainFolder();
afterAll(() => folder.remove());

/** What sendmail's own macros make of these lines of an mc file. */
async function realCf(name: string, lines: readonly string[]): Promise<string> {
  const part = cachedPart("sendmail");
  const macros = join(part.root, "usr/share/sendmail/cf/");
  const mc = join(folder.path, `${name}.mc`);
  const head = ["divert(0)dnl", "VERSIONID(`test')dnl", "OSTYPE(`linux')dnl", "MAILER(`smtp')dnl"];
  writeFileSync(mc, [...head, ...lines, ""].join("\n"));
  const argv = partCommand(part, "usr/bin/m4", [`-D_CF_DIR_=${macros}`, join(macros, "m4/cf.m4"), mc]);
  return (await runWell({ argv })).stdout;
}

/** The check as it runs at start, with these files on the host. */
function start(words: string, files: Readonly<Record<string, string>>): readonly string[] {
  return sendmailCfWarnings(command(words), {
    cwd: "/",
    realPath: (path) => path,
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
      return text;
    },
  });
}

function check(text: string, ...sockets: string[]): readonly string[] {
  return checkSendmailCf({
    file: "/cf",
    text,
    sockets: (sockets.length === 0 ? [OURS] : sockets).map(parseSocketAddress),
    realPath: (path) => path,
  });
}

describe("a sendmail.cf made by sendmail's own macros", () => {
  let cf = "";
  let others = "";
  beforeAll(async () => {
    const greylist = "INPUT_MAIL_FILTER(`greylist', `S=local:/var/greylist/greylist.sock, T=S:4m;R:4m')dnl";
    others = await realCf("others", [greylist, "INPUT_MAIL_FILTER(`spf', `S=inet:8890@localhost')dnl"]);
    cf = await realCf("ours", [
      greylist,
      `INPUT_MAIL_FILTER(\`clamav', \`S=${OURS}, F=T, T=C:1m;S:1m;R:2m;E:5m')dnl`,
    ]);
  });

  test("that names our socket, as the README shows it, passes without a word", () => {
    expect(check(cf)).toEqual([]);
    expect(check(cf, "/run/clamav-milter/clamav-milter.sock")).toEqual([]);
    expect(check(cf, "local:/run/other.sock", OURS)).toEqual([]);
  });

  test("that names other filters only is an error that shows them", () => {
    const error = startFailure(() => check(others, OURS, "/run/second.sock"));
    expect(error.exitCode).toBe(78);
    expect(error.code).toBe("SENDMAIL_CF");
    expect(error.message).toBe(
      `/cf: names no mail filter at ${OURS} or unix:/run/second.sock, only greylist at ` +
        "local:/var/greylist/greylist.sock, spf at inet:8890@localhost; correct that file or the socket address, " +
        "or turn the check off with --no-check-cf",
    );
  });

  test("our path as a part of a longer one, or in a comment, does not count", () => {
    const longer = others.replace("local:/var/greylist/greylist.sock", `${OURS}.old`);
    expect(startFailure(() => check(`${longer}\n#Xclamav, S=${OURS}\n`)).exitCode).toBe(78);
  });

  test("is read from the usual places, the first that exists", () => {
    const [first = "", second = ""] = DEFAULT_CF_FILES;
    expect(start(OURS, {})).toEqual([]);
    expect(start(OURS, { [second]: cf })).toEqual([]);
    expect(startFailure(() => start(OURS, { [second]: others })).message).toStartWith("/etc/sendmail.cf: ");
    expect(startFailure(() => start(OURS, { [first]: others, [second]: cf })).message).toStartWith(
      "/etc/mail/sendmail.cf: ",
    );
  });

  test("is read from the file that --sendmail-cf names, and from no other", () => {
    expect(start(`--sendmail-cf=/my.cf ${OURS}`, { "/my.cf": cf, "/etc/mail/sendmail.cf": others })).toEqual(
      [],
    );
    expect(startFailure(() => start(`--sendmail-cf my.cf ${OURS}`, { "/my.cf": others })).exitCode).toBe(78);
    const error = startFailure(() => start(`-0 /no.cf ${OURS}`, { "/etc/mail/sendmail.cf": cf }));
    expect(error.exitCode).toBe(78);
    expect(error.message).toBe("--sendmail-cf: cannot read /no.cf: no such file");
  });

  const skipped = [
    `--no-check-cf ${OURS}`,
    `--sendmail-cf= ${OURS}`,
    `--chroot=/jail ${OURS}`,
    "inet:7357@127.0.0.1",
    "inet6:7357",
    `${OURS} inet:7357`,
  ];
  test.each(skipped)("is not looked at with %s", (words) => {
    expect(start(words, { "/etc/mail/sendmail.cf": others })).toEqual([]);
  });
});

test("a usual file that may not be read is told of and does not stop the start", () => {
  const warnings = sendmailCfWarnings(command(OURS), {
    cwd: "/",
    realPath: (path) => path,
    readFile: () => {
      throw Object.assign(new Error("permission denied"), { code: "EACCES" });
    },
  });
  expect(warnings).toEqual(["/etc/mail/sendmail.cf: cannot be checked: permission denied"]);
});

test("a socket below a link, such as /var/run, is the same as below its target", () => {
  mkdirSync(join(folder.path, "run"));
  symlinkSync("run", join(folder.path, "link"));
  const cf = `Xc, S=unix:${folder.path}//link/m.sock, F=T\nO InputMailFilters=c\n`;
  writeFileSync(join(folder.path, "link.cf"), cf);
  const line = command(`--sendmail-cf=${folder.path}/link.cf ${folder.path}/run/m.sock`);
  const reader = { cwd: "/", readFile: () => cf, realPath: (path: string) => realpathSync(path) };
  expect(sendmailCfWarnings(line, reader)).toEqual([]);
});

describe("warnings", () => {
  const CALLED = "O InputMailFilters=c\n";
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["no filter at all", "", /names no mail filter/],
    ["no F=", `${CALLED}Xc, S=${OURS}`, /filter c has no F=/],
    ["R too short", `${CALLED}Xc, S=${OURS}, F=T, T=R:5s`, /filter c: the time-out R:5s .* 8 s$/],
    ["S of nothing", `${CALLED}Xc, S=${OURS}, F=T, T=S:0;R:1m`, /the time-out S:0s /],
    ["E too short", `${CALLED}Xc, S=${OURS}, F=T, T=E:4m`, /the time-out E:240s .* 270 s$/],
    ["a filter that is not called", `Xc, S=${OURS}, F=T`, /filter c is not in InputMailFilters/],
  ];
  test.each(cases)("%s", (_, text, says) => {
    expect(check(text)).toEqual([expect.stringMatching(says)]);
    expect(check(text)[0]).toStartWith("/cf: ");
  });

  const peace: readonly string[] = [
    `${CALLED}Xc, S=${OURS}, F=T`,
    `${CALLED}Xc, S=${OURS}, F=R, T=S:10s;R:10s;E:5m`,
    `O DaemonPortOptions=Name=MTA, Port=25, InputMailFilters=a;c\nXc, S=${OURS}, F=4`,
  ];
  test.each(peace)("none for %p", (text) => expect(check(text)).toEqual([]));
});

test("spellings, comments, quotation marks and continuation lines are read as sendmail reads them", async () => {
  const text = [
    "V10/Berkeley",
    "# a comment",
    "\tthat goes on: Xno, S=unix:/no.sock",
    "O InputMailFilters=folded, quoted",
    "Xfolded, S=unix:/folded.sock,",
    "\tF=T, # what follows is none",
    "  T=S:1m30s;R:20",
    'Xquoted, S="unix:/a, b.sock", F = R, T="S:5s;R:6s;E:1h2m"',
    "Xtight,S=LOCAL:/tight.sock,F=4,T=R:3;S:0",
    "Xescaped, S=unix:/a\\#b.sock, T=R:2h",
    "Xwords, Socket=/bare.sock, Flags=T, Timeouts=R : 9s; S:8s",
    "#Xgone, S=unix:/gone.sock",
    "",
  ].join("\n");
  const { filters, called } = parseSendmailCf(text);
  expect(filters.map(({ name, socket, flags }) => [name, socket, flags])).toEqual([
    ["folded", "unix:/folded.sock", "T"],
    ["quoted", "unix:/a, b.sock", "R"],
    ["tight", "LOCAL:/tight.sock", "4"],
    ["escaped", "unix:/a#b.sock", ""],
    ["words", "/bare.sock", "T"],
  ]);
  expect([...called]).toEqual(["folded", "quoted"]);
  expect(check(text, "/tight.sock")).not.toEqual([]);

  // The referee: sendmail tells each time-out that it has read.
  const file = join(folder.path, "spellings.cf");
  writeFileSync(file, text);
  const sendmail = partCommand(cachedPart("sendmail"), "usr/libexec/sendmail/sendmail", [
    ...["-C", file, "-bt", "-d64.5"],
  ]);
  // A host name without a dot makes it wait for a minute.
  const named = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', "mail.lab.example"];
  const { stdout } = await run({ argv: [...named, ...sendmail] });
  const theirs = [...stdout.matchAll(/^X(\w+): ([SRE])=(\d+)$/gm)].map(([, ...words]) => words.join(" "));
  const ours = filters.flatMap(({ name, timeouts }) =>
    Object.entries(timeouts).map(([letter, seconds]) => `${name} ${letter} ${seconds}`),
  );
  expect(ours.toSorted()).toEqual(theirs.toSorted());
  expect(ours).toHaveLength(10);
}, 120_000);

test("long lines take no time, and the filters of a port may stand first", () => {
  const started = performance.now();
  for (const piece of [" ", "=", ", ", "I", "a=I", "\t,", "#"]) {
    parseSendmailCf(`O DaemonPortOptions=${piece.repeat(100_000)}\r!`);
    parseSendmailCf(`O InputMailFilters=${piece.repeat(100_000)}\r!`);
  }
  expect(performance.now() - started).toBeLessThan(2000);
  expect([...parseSendmailCf("O DaemonPortOptions=I=a;b, Name=MTA").called]).toEqual(["a", "b"]);
});
