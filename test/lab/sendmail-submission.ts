import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachedPart, partCommand } from "../../scripts/debian/parts.ts";
import { runWell } from "./process.ts";
import { writeProgram } from "./program-file.ts";
import type { Sendmail } from "./sendmail.ts";

const USER = "nobody";

function id(which: "-u" | "-g"): number {
  return Number(Bun.spawnSync(["id", which, USER]).stdout.toString());
}

/**
 * Writes a program that is `sendmail` as a host's users have it, a mail submission program (`submit.cf`): what it is
 * given goes to the daemon by SMTP, and so past the daemon's filters.
 * @param folder for its configuration and queue
 * @returns its path
 */
export async function submissionProgram(sendmail: Sendmail, folder: string): Promise<string> {
  const part = cachedPart("sendmail");
  const home = join(folder, "submission");
  const queue = join(home, "queue");
  mkdirSync(queue, { recursive: true });
  chownSync(queue, id("-u"), id("-g"));
  chmodSync(queue, 0o770);
  const macros = join(part.root, "usr/share/sendmail/cf/");
  const mc = join(home, "submit.mc");
  const define = (name: string, value: string): string => `define(\`${name}', \`${value}')dnl`;
  const lines = [
    "divert(0)dnl",
    "VERSIONID(`lab submission')dnl",
    "OSTYPE(`linux')dnl",
    define("MSP_QUEUE_DIR", queue),
    define("STATUS_FILE", join(home, "statistics")),
    define("confPID_FILE", join(home, "pid")),
    // It insists on one who is not root.
    define("confRUN_AS_USER", `${id("-u")}:${id("-g")}`),
    define("confTRUSTED_USER", USER),
    define("confDELIVERY_MODE", "interactive"),
    define("confDOMAIN_NAME", "mail.lab.example"),
    define("confDIRECT_SUBMISSION_MODIFIERS", "C"),
    define("confREFUSE_LA", "10000"),
    define("confQUEUE_LA", "10000"),
    define("RELAY_MAILER_ARGS", `TCP $h ${sendmail.port}`),
    "FEATURE(`nocanonify')dnl",
    "FEATURE(`msp', `[127.0.0.1]')dnl",
  ];
  writeFileSync(mc, `${lines.join("\n")}\n`);
  const { stdout } = await runWell({
    argv: partCommand(part, "usr/bin/m4", [`-D_CF_DIR_=${macros}`, join(macros, "m4/cf.m4"), mc]),
  });
  const cf = join(home, "submit.cf");
  writeFileSync(cf, stdout);
  return writeProgram(join(home, "sendmail"), sendmail.argv(["-C", cf]));
}
