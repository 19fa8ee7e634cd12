import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A mail that the program was given. */
export interface GivenMail {
  readonly args: readonly string[];
  /** Header lines, unfolded. */
  readonly header: readonly string[];
  readonly body: string;
  /** All of it, as latin1. */
  readonly text: string;
}

/** A program in sendmail's place that keeps what it is given. */
export interface FakeSendmail {
  readonly path: string;
  /** Everything given so far, oldest first. */
  mails(): GivenMail[];
  /** From now on it fails with this status, and keeps nothing; 0: it takes mail again. */
  fail(status: number): void;
}

/** @param folder where it and what it is given are kept; others must be able to write there */
export function fakeSendmail(folder: string): FakeSendmail {
  const home = join(folder, "fake-sendmail");
  const mails = join(home, "mails");
  mkdirSync(mails, { recursive: true });
  for (const each of [home, mails]) chmodSync(each, 0o777);
  const path = join(home, "sendmail");
  const script = [
    "#!/bin/sh",
    `if [ -f ${home}/status ]; then echo "told to fail" >&2; exit "$(cat ${home}/status)"; fi`,
    `f=${mails}/$(date +%s%N).$$`,
    `{ for a in "$@"; do printf '%s\\n' "$a"; done; printf '\\n'; cat; } >"$f.part"`,
    `mv "$f.part" "$f"`,
  ];
  writeFileSync(path, `${script.join("\n")}\n`);
  chmodSync(path, 0o755);
  return {
    path,
    mails: () =>
      readdirSync(mails)
        .filter((name) => !name.endsWith(".part"))
        .sort()
        .map((name) => givenMail(readFileSync(join(mails, name), "latin1"))),
    fail: (status) => {
      const file = join(home, "status");
      if (status !== 0) writeFileSync(file, String(status));
      else if (existsSync(file)) Bun.spawnSync(["rm", file]);
    },
  };
}

function givenMail(content: string): GivenMail {
  const at = content.indexOf("\n\n");
  const text = content.slice(at + 2);
  const end = text.indexOf("\n\n");
  return {
    args: content.slice(0, at).split("\n"),
    header: text
      .slice(0, end)
      .replaceAll(/\n[ \t]+/g, " ")
      .split("\n"),
    body: text.slice(end + 2),
    text,
  };
}
