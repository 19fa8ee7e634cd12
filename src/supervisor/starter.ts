import { helpText } from "../cli/help.ts";
import { StartError, startErrorText } from "../cli/start-error.ts";
import { readSettings, type StartRequest } from "../config/start-settings.ts";
import { systemEdge } from "../config/system-edge.ts";
import { writeStandardError } from "../os/standard-error.ts";
import { VERSION } from "../version.ts";
import { askClamdVersion } from "./scanner-check.ts";
import { supervise } from "./supervisor.ts";

/**
 * Does what the command line asks for.
 * @param argv without the program's name
 * @returns the exit status, one of sysexits.h
 */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  try {
    const request = readSettings(argv, systemEdge());
    if (request.action === "help") process.stdout.write(helpText());
    else if (request.action === "version") process.stdout.write(await versionText(request));
    else await supervise(request.settings);
    return 0;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    writeStandardError(`${startErrorText(error)}\n`);
    return error.exitCode;
  }
}

/** `-V`: our version, and with `--external` what each clamd says of itself. */
async function versionText(request: Extract<StartRequest, { action: "version" }>): Promise<string> {
  const lines = [`clamav-milter version ${VERSION}`];
  if (request.problem !== null) lines.push(`clamd: ${request.problem}`);
  const answers = await Promise.allSettled(request.servers.map(askClamdVersion));
  for (const [at, answer] of answers.entries()) {
    const name = request.servers[at]?.name ?? "";
    lines.push(answer.status === "fulfilled" ? `${answer.value} on ${name}` : String(answer.reason.message));
  }
  return `${lines.join("\n")}\n`;
}
