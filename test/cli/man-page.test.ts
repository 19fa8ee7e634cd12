import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachedPart, partCommand, REPOSITORY } from "../../scripts/debian/parts.ts";
import { manPage } from "../../src/cli/man-page.ts";
import { longForm, shortForm } from "../../src/cli/option-spec.ts";
import { OPTIONS } from "../../src/cli/options.ts";
import { section } from "../../src/cli/roff.ts";
import { EXIT } from "../../src/cli/start-error.ts";
import { plainFolder } from "../lab/folder.ts";
import { type Finished, run } from "../lab/process.ts";

const folder = plainFolder();
afterAll(() => folder.remove());

/** Sets a page with groff as man(1) does, in lines so long that nothing is broken. */
async function formatted(source: string): Promise<Finished> {
  const part = cachedPart("groff");
  const data = join(part.root, "usr/share/groff/current");
  const file = join(folder.path, "page.8");
  writeFileSync(file, source);
  const env = {
    GROFF_BIN_PATH: join(part.root, "usr/bin"),
    GROFF_TMAC_PATH: `${join(data, "tmac")}:${join(part.root, "etc/groff")}`,
    GROFF_FONT_PATH: join(data, "font"),
    GROFF_NO_SGR: "1",
  };
  // -c: no colours and no overstriking with it.
  const options = ["-ww", "-man", "-Tutf8", "-P-cbou", "-rLL=2000n", "-rHY=0", file];
  return run({ argv: partCommand(part, "usr/bin/groff", options), env });
}

/** Hyphens as the keyboard has them, blanks single: what a reader searches for. */
function searchable(text: string): string {
  return text
    .replaceAll(/[\u2010\u2212]/g, "-")
    .replaceAll("\u2019", "'")
    .replaceAll(/[ \t]+/g, " ");
}

describe("the page as groff sets it", async () => {
  const source = manPage("1.2.3");
  const { exitCode, stdout, stderr } = await formatted(source);
  const page = searchable(stdout);

  test("gives no warning", () => {
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
  });

  test("has the program's version and all sections in order", () => {
    expect(page).toContain("clamav-milter 1.2.3");
    const titles = page.split("\n").filter((line) => /^[A-Z][A-Z -]+$/.test(line));
    expect(titles).toEqual([
      ...["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "FILES", "SIGNALS", "EXIT STATUS"],
      ...["SENDMAIL SET-UP", "POSTFIX SET-UP", "CHROOT", "SECURITY"],
      ...["DIFFERENCES FROM THE CLASSIC", "EXAMPLES", "SEE ALSO"],
    ]);
    expect(page).toMatch(/\nNAME\n clamav-milter - mail filter/);
  });

  for (const option of OPTIONS) {
    test(`has --${option.long} with its text`, () => {
      const head = [shortForm(option), longForm(option)].filter((form) => form !== "").join(", ");
      // A short name may stand on one line with its text.
      const at = page.indexOf(`\n ${head}`);
      if (option.hidden) return expect(at).toBe(-1);
      expect(at).toBeGreaterThan(0);
      const entry = page.slice(at, at + 3000).replaceAll(/\s+/g, " ");
      expect(entry).toContain(option.manual.replaceAll(/\s+/g, " "));
      const next = entry.slice(0, head.length + option.manual.length + 400);
      if (option.default !== "") expect(next).toContain(`Default: ${option.default}.`);
      if (option.conflicts !== "") expect(next).toContain(option.conflicts.slice(1));
    });
  }

  test("has every exit status", () => {
    for (const status of Object.values(EXIT)) expect(page).toMatch(new RegExp(`\n ${status} [A-Z]`));
  });

  test("has examples that can be copied", () => {
    expect(page).toContain("INPUT_MAIL_FILTER(`clamav',");
    expect(page).toContain("F=T, T=C:1m;S:1m;R:2m;E:5m')dnl");
    expect(page).toContain("clamav-milter --external --outgoing --local \\\n");
    // The signs themselves, not typographical ones.
    expect(stdout).toContain("clamav-milter -e -V");
    expect(source).toContain(`.SH NAME\n.PP\nclamav-milter \\- `);
  });
});

test("scripts/build has put today's page beside the program", () => {
  const { version } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8")) as {
    version: string;
  };
  expect(readFileSync(join(REPOSITORY, "dist/clamav-milter.8"), "utf8")).toBe(manPage(version));
});

test("no text can become a command of roff", async () => {
  const lines = [".ig", "'br", "a\\fBb", "--x ~^`'"];
  const blocks = [
    { kind: "text", text: ".ig is text, 'br and \\fB as well: -x --long-name ~ ^" },
    { kind: "item", term: ".so /etc/passwd", text: "'so /etc/passwd" },
    { kind: "code", lines },
  ] as const;
  const { stdout, stderr } = await formatted(`.TH X 8\n${section("TEXT", blocks)}`);
  expect(stderr).toBe("");
  const page = searchable(stdout);
  expect(page).toContain(".ig is text, 'br and \\fB as well: -x --long-name ~ ^");
  expect(page).toContain(".so /etc/passwd");
  expect(page).toContain("'so /etc/passwd");
  for (const line of lines) expect(stdout).toContain(line);
});
