import { parseCommandLine } from "../cli/command-line.ts";
import { helpText } from "../cli/help.ts";
import { EXIT, StartError, startErrorText } from "../cli/start-error.ts";
import type { Settings } from "../config/settings.ts";
import { readSettings, type StartEdge, type StartRequest } from "../config/start-settings.ts";
import { systemEdge } from "../config/system-edge.ts";
import { engineVersion } from "../engine/version-text.ts";
import { replaceProgram } from "../os/program-replacement.ts";
import { writeStandardError } from "../os/standard-error.ts";
import { VERSION } from "../version.ts";
import { foregroundEnvironment } from "./role-environment.ts";
import { askClamdVersion } from "./scanner-check.ts";
import { serviceManager } from "./service-manager.ts";
import { receiveOrder, type StartOrder, startInBackground } from "./start-link.ts";
import { supervise } from "./supervisor.ts";

/**
 * Does what the command line asks for.
 * @param argv without the program's name
 * @returns the exit status, one of sysexits.h
 */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  try {
    // Before anything is read that can be read only once.
    const line = parseCommandLine(argv);
    if (line.action === "run" && line.options.values.foreground === true) startAnew(argv);
    const request = readSettings(argv, systemEdge());
    if (request.action === "help") process.stdout.write(helpText());
    else if (request.action === "version") process.stdout.write(await versionText(request));
    else if (request.settings.foreground) {
      startAnew(argv);
      await superviseHere(request.settings, argv);
    } else await startInBackground(orderOf(argv), request.settings.waitForClamd * 1000);
    return 0;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    writeStandardError(`${startErrorText(error)}\n`);
    return error.exitCode;
  }
}

function orderOf(argv: readonly string[]): StartOrder {
  const { TMPDIR } = process.env;
  return { argv, cwd: process.cwd(), ...(TMPDIR === undefined ? {} : { tmpdir: TMPDIR }) };
}

/** A file that is a descriptor of this process, such as a shell's `<(…)`. */
const DESCRIPTOR_FILE = /\/(?:dev|proc\/self)\/(?:fd\/\d+|stdin)$/;

/** Starts this very process once more, if its runtime does not know what it is to. */
function startAnew(argv: readonly string[]): void {
  // To a second start it would be closed, or empty.
  if (argv.some((word) => DESCRIPTOR_FILE.test(word))) return;
  const env = foregroundEnvironment(process.env);
  if (env === null) return;
  const descriptors = serviceManager(process.env, process.pid).sockets;
  try {
    replaceProgram("/proc/self/exe", { argv: [process.argv0, ...argv], env, descriptors });
  } catch {
    // It does its work without that as well, and takes more memory.
  }
}

function superviseHere(settings: Settings, argv: readonly string[]): Promise<void> {
  const edge = systemEdge();
  return supervise({ settings, reread: () => settingsOf(argv, edge), onAccepting: () => {} });
}

/** The supervisor in the background: does as the starter ordered, and tells it what came of it. */
export async function runSupervisor(): Promise<number> {
  const { order, accepting, failed } = await receiveOrder();
  const edge: StartEdge = { ...systemEdge(), cwd: order.cwd, env: { TMPDIR: order.tmpdir } };
  try {
    const settings = settingsOf(order.argv, edge);
    await supervise({ settings, reread: () => settingsOf(order.argv, edge), onAccepting: accepting });
    return 0;
  } catch (error) {
    // A fault of ours has to reach the command line, too: standard error is closed here.
    const told = error instanceof StartError ? error : faultOf(error);
    await failed(told);
    return told.exitCode;
  }
}

function faultOf(error: unknown): StartError {
  const reason = error instanceof Error ? error.message : String(error);
  return new StartError("FAULT", EXIT.SOFTWARE, `a fault of this program: ${reason}`);
}

/** @throws StartError */
function settingsOf(argv: readonly string[], edge: StartEdge): Settings {
  const request = readSettings(argv, edge);
  if (request.action !== "run") throw new Error("this command line starts nothing");
  return request.settings;
}

function engineText(databaseDirectory: string): string {
  try {
    return engineVersion(databaseDirectory);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** `-V`: our version, and that of the built-in engine; with `--external` what each clamd says of itself. */
async function versionText(request: Extract<StartRequest, { action: "version" }>): Promise<string> {
  const lines = [`clamav-milter version ${VERSION}`];
  if (request.problem !== null) lines.push(`clamd: ${request.problem}`);
  if (request.databaseDirectory !== null) lines.push(engineText(request.databaseDirectory));
  const answers = await Promise.allSettled(request.servers.map(askClamdVersion));
  for (const [at, answer] of answers.entries()) {
    const name = request.servers[at]?.name ?? "";
    lines.push(answer.status === "fulfilled" ? `${answer.value} on ${name}` : String(answer.reason.message));
  }
  return `${lines.join("\n")}\n`;
}
