import { afterAll, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "../../scripts/debian/parts.ts";
import { plainFolder } from "../lab/folder.ts";
import { type Finished, run } from "../lab/process.ts";

const folder = plainFolder();
afterAll(() => folder.remove());

/** The program is large: copies and checksums of it take a while on a busy machine. */
const PATIENCE = 60_000;

function script(...words: string[]): Promise<Finished> {
  return run({ argv: [join(REPOSITORY, "scripts/install"), ...words], cwd: "/", deadline: PATIENCE });
}

/** A folder that stands for the root of a host. */
function host(name: string): string {
  return join(folder.path, name);
}

/** Paths of files and directories below a folder, sorted. */
function tree(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" }).sort();
}

function text(...parts: string[]): string {
  return readFileSync(join(...parts), "utf8");
}

const FILES = [
  "etc/default/clamav-milter",
  "etc/init.d/clamav-milter",
  "etc/logrotate.d/clamav-milter",
  "usr/local/lib/systemd/system/clamav-milter.service",
  "usr/local/lib/systemd/system/clamav-milter.socket",
  "usr/local/lib/tmpfiles.d/clamav-milter.conf",
  "usr/local/sbin/clamav-milter",
  "usr/local/share/man/man8/clamav-milter.8",
];

test(
  "what is installed works, twice as well as once, and is taken away again without a trace",
  async () => {
    const root = host("an ordinary\thost");
    expect(await script(`--destdir=${root}`)).toMatchObject({ exitCode: 0, stderr: "" });
    const first = tree(root);
    expect(first).toEqual(expect.arrayContaining(FILES));
    const version = await run({ argv: [join(root, "usr/local/sbin/clamav-milter"), "-V"] });
    expect(version).toMatchObject({ exitCode: 0, stderr: "" });
    expect(version.stdout).toMatch(/^clamav-milter version \d+\.\d+\.\d+\n/);
    expect(statSync(join(root, "var/spool/clamav-milter")).mode & 0o7777).toBe(0o700);
    expect(statSync(join(root, "run/clamav-milter")).mode & 0o7777).toBe(0o755);
    expect(statSync(join(root, "etc/init.d/clamav-milter")).mode & 0o7777).toBe(0o755);

    expect(await script(`--destdir=${root}`)).toMatchObject({ exitCode: 0, stderr: "" });
    expect(tree(root)).toEqual(first);

    expect(await script("--uninstall", `--destdir=${root}`)).toMatchObject({ exitCode: 0, stderr: "" });
    expect(tree(root)).toEqual([]);
    expect(await script("--uninstall", `--destdir=${root}`)).toMatchObject({
      exitCode: 66,
      stderr: expect.stringContaining("nothing is installed"),
    });
  },
  3 * PATIENCE,
);

test(
  "prefix and user are put where they belong",
  async () => {
    const root = host("prefix");
    expect((await script(`--destdir=${root}`, "--prefix=/opt/mail-1.0", "--user=root")).exitCode).toBe(0);
    const unit = text(root, "opt/mail-1.0/lib/systemd/system/clamav-milter.service");
    expect(unit).toContain(
      "\nExecStart=/opt/mail-1.0/sbin/clamav-milter --foreground --wait-for-clamd=120 $",
    );
    expect(unit).toContain("\nUser=root\n");
    expect(unit).not.toContain("/usr/local");
    expect(text(root, "opt/mail-1.0/lib/systemd/system/clamav-milter.socket")).toContain(
      "\nSocketUser=root\n",
    );
    expect(text(root, "opt/mail-1.0/lib/tmpfiles.d/clamav-milter.conf")).toContain(
      "d /run/clamav-milter 0755 root - -\n",
    );
    expect(text(root, "etc/logrotate.d/clamav-milter")).toContain("\tsu root root\n");
    const init = text(root, "etc/init.d/clamav-milter");
    expect(init).toContain("\nDAEMON=/opt/mail-1.0/sbin/clamav-milter\n");
    expect(init).toContain("\nRUN_USER=root\n");
    expect((await script(`--destdir=${root}`, "--uninstall")).exitCode).toBe(0);
    expect(tree(root)).toEqual([]);
  },
  2 * PATIENCE,
);

test(
  "what an administrator edited or put there stays, and so do directories that were there before",
  async () => {
    const root = host("edited");
    mkdirSync(join(root, "usr/local/sbin"), { recursive: true });
    mkdirSync(join(root, "etc/default"), { recursive: true });
    expect((await script(`--destdir=${root}`)).exitCode).toBe(0);
    const defaults = join(root, "etc/default/clamav-milter");
    appendFileSync(defaults, "# mine\n");
    writeFileSync(join(root, "var/spool/clamav-milter/notice"), "to be sent");
    const again = await script(`--destdir=${root}`);
    expect(again.exitCode).toBe(0);
    expect(again.stdout).toContain(`kept ${defaults}, which was edited`);
    expect(readFileSync(defaults, "utf8")).toEndWith("# mine\n");

    const removed = await script(`--destdir=${root}`, "--uninstall");
    expect(removed.exitCode).toBe(0);
    expect(removed.stdout).toContain(`kept ${defaults}, which was edited`);
    expect(removed.stdout).toContain(`kept ${join(root, "var/spool/clamav-milter")}, which is not empty`);
    expect(tree(root).filter((path) => statSync(join(root, path)).isFile())).toEqual([
      "etc/default/clamav-milter",
      "var/spool/clamav-milter/notice",
    ]);
    expect(existsSync(join(root, "usr/local/sbin"))).toBe(true);
    expect(existsSync(join(root, "usr/local/share"))).toBe(false);
  },
  3 * PATIENCE,
);

test(
  "another's file is not overwritten, and then nothing is installed at all",
  async () => {
    const root = host("stranger");
    mkdirSync(join(root, "etc/init.d"), { recursive: true });
    mkdirSync(join(root, "etc/default"), { recursive: true });
    writeFileSync(join(root, "etc/default/clamav-milter"), "OPTIONS=\n");
    writeFileSync(join(root, "etc/init.d/clamav-milter"), "#!/bin/sh\n");
    const before = tree(root);
    const { exitCode, stderr } = await script(`--destdir=${root}`);
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      `scripts/install: ${root}/etc/init.d/clamav-milter exists, and was not put there by this script: ` +
        "remove it or its package first\n",
    );
    expect(tree(root)).toEqual(before);
  },
  PATIENCE,
);

describe("wrong words are refused", () => {
  const cases: readonly (readonly [string, number, RegExp])[] = [
    ["--prefix=usr/local", 64, /--prefix: expected a full path/],
    ["--prefix=/", 64, /--prefix: /],
    ["--prefix=/opt/$(touch x)", 64, /--prefix: /],
    ["--prefix=/opt/../etc", 64, /--prefix: /],
    ["--prefix=", 64, /--prefix: /],
    ["--user=clamav;id", 64, /--user: expected the name of a user/],
    ["--user=-x", 64, /--user: /],
    ["--user=no-such-user-here", 67, /there is no user no-such-user-here: .*--user=NAME/],
    ["--destdir=/dev/null/x", 73, /--destdir: cannot make \/dev\/null\/x/],
    ["--everything", 64, /unknown: --everything/],
    ["install", 64, /unknown: install/],
  ];
  test.each(cases)("%s", async (word, status, says) => {
    // Should the word ever be taken for a good one, the host must not be the place that shows it.
    const elsewhere = status === 64 ? [`--destdir=${host("nowhere")}`] : [];
    const { exitCode, stderr, stdout } = await script(...elsewhere, word);
    expect(stderr).toMatch(says);
    expect(exitCode).toBe(status);
    expect(stdout).toBe("");
  });

  test("--help shows how it is used", async () => {
    const { exitCode, stdout } = await script("--help");
    expect(exitCode).toBe(0);
    for (const word of ["--prefix=", "--destdir=", "--user=", "--uninstall"]) expect(stdout).toContain(word);
  });
});
