import { accessSync, constants, globSync, readFileSync } from "node:fs";
import { EXIT, StartError } from "../cli/start-error.ts";
import { queueDirectories } from "../config/sendmail-queue.ts";
import type { Settings } from "../config/settings.ts";
import { type ProgramEnd, runProgram } from "../os/run-program.ts";
import { LONGEST_WHITELIST } from "../policy/whitelist.ts";

/** Milliseconds for each question to sendmail. One that cannot find out its host's name sleeps for a minute. */
const PATIENCE = 20_000;
/** What `sendmail -bv root` may end with: all is well, or there is no such user (CB 3.6). */
const TRUSTED: ReadonlySet<unknown> = new Set([0, 67]);

/** What the test of black-hole mode needs of the system. */
export interface PolicyCheckEdge {
  run(argv: readonly string[], deadline: number): Promise<ProgramEnd>;
  /** @throws Error */
  read(path: string): string;
  /** Whether this user may list the directory. @throws Error when not */
  list(path: string): void;
  /** Paths that match a pattern of the shell's. */
  expand(pattern: string): readonly string[];
}

export const POLICY_CHECK_EDGE: PolicyCheckEdge = {
  run: runProgram,
  read: (path) => readFileSync(path, "latin1"),
  list: (path) => accessSync(path, constants.R_OK | constants.X_OK),
  expand: (pattern) => globSync(pattern),
};

/**
 * Whether the policy options can do what they promise, as the user that the program runs as by now.
 * @throws StartError 78 for a whitelist that this user cannot read, or that is too long; for `--black-hole-mode` when the program is not
 *   Sendmail's, the user is not trusted, its groups are not taken, or the queue is closed to it (man page)
 */
export async function requirePolicy(
  settings: Settings,
  uid: number,
  edge: PolicyCheckEdge = POLICY_CHECK_EDGE,
): Promise<void> {
  const { whitelistFile } = settings;
  if (whitelistFile !== null) {
    demand("--whitelist-file", `cannot read ${whitelistFile}`, () => {
      if (edge.read(whitelistFile).length > LONGEST_WHITELIST) throw new Error("more than 2 MB");
    });
  }
  if (!settings.blackHoleMode) return;
  const { sendmailBin, user } = settings;
  if (user !== null && user !== "root" && !settings.supplementaryGroups) {
    throw refused(`needs AllowSupplementaryGroups yes in ${settings.configFile}`);
  }
  // Not asked with -bv: Postfix's would send a mail to whoever calls.
  const { output, errors } = await ask(edge, [sendmailBin, "-d0.1", "-bt"]);
  if (!/^Version 8\.\d+/m.test(output)) {
    const said = (errors || output).split("\n", 1)[0] ?? "";
    throw refused(
      `${sendmailBin} is not Sendmail's${said === "" ? "" : `: it says "${said.slice(0, 200)}"`}`,
    );
  }
  const { status } = await ask(edge, [sendmailBin, "-bv", "--", "root"]);
  if (!TRUSTED.has(status)) {
    const remedy = "make the User of clamd.conf a TrustedUser of sendmail";
    throw refused(
      `sendmail does not trust this user (sendmail -bv ended with status ${status ?? "unknown"}); ${remedy}`,
    );
  }
  if (uid !== 0) requireQueue(settings, edge);
}

function requireQueue({ sendmailCf }: Settings, edge: PolicyCheckEdge): void {
  for (const directory of queueDirectories(sendmailCf, edge)) {
    demand("--black-hole-mode", `this user cannot read the mail queue ${directory}`, () =>
      edge.list(directory),
    );
  }
}

async function ask(edge: PolicyCheckEdge, argv: readonly string[]): Promise<ProgramEnd> {
  try {
    return await edge.run(argv, PATIENCE);
  } catch (error) {
    throw refused(`cannot ask sendmail: ${error instanceof Error ? error.message : error}`);
  }
}

function demand(option: string, complaint: string, attempt: () => unknown): void {
  try {
    attempt();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError("POLICY", EXIT.CONFIG, `${option}: ${complaint}: ${reason}`);
  }
}

function refused(why: string): StartError {
  return new StartError("BLACK_HOLE_MODE", EXIT.CONFIG, `--black-hole-mode: ${why}`);
}
