import { posix } from "node:path";
import type { ServerAddress } from "../clamd/address.ts";
import { type CommandLine, type GivenOptions, parseCommandLine } from "../cli/command-line.ts";
import type { OptionName } from "../cli/options.ts";
import { StartError } from "../cli/start-error.ts";
import { type ClamdConf, numberOf, textOf } from "./clamd-conf.ts";
import { TEXTS } from "./clamd-directives.ts";
import { loadClamdConf } from "./config-file.ts";
import {
  type DirectoryFact,
  FILES_TO_READ,
  refuseConfigConflicts,
  refuseOptionConflicts,
  type StartFacts,
} from "./conflicts.ts";
import { type CfReader, sendmailCfWarnings } from "./sendmail-cf-file.ts";
import { externalScanners } from "./servers.ts";
import { type RunCommandLine, resolveSettings, type Settings } from "./settings.ts";

/** The outside world as far as start-up needs it; see system-edge.ts for the real one. */
export interface StartEdge extends CfReader {
  /** Where the built-in engine listens. */
  readonly engineSocket?: string;
  /** Processors of this host. */
  readonly cores?: number;
  readonly uid: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** @throws Error when nothing is found there */
  stat(path: string): { readonly mode: number; readonly directory: boolean };
  /** @throws Error when the right is missing */
  access(path: string, right: "read" | "write"): void;
}

/** What the program is to do. */
export type StartRequest =
  | { readonly action: "help" }
  | {
      readonly action: "version";
      /** The servers to ask with `--external`; empty without it. */
      readonly servers: readonly ServerAddress[];
      /** Seconds; 0: no limit. */
      readonly readTimeout: number;
      /** Where the built-in engine has its database; null with `--external`. */
      readonly databaseDirectory: string | null;
      /** Why the servers could not be found out, or null. */
      readonly problem: string | null;
    }
  | { readonly action: "run"; readonly settings: Settings };

/**
 * From the words of the command line to the settings: syntax and ranges first, then conflicts between
 * options, clamd.conf, conflicts with it, and last sendmail.cf.
 *
 * @throws StartError 64 or 78
 */
export function readSettings(argv: readonly string[], edge: StartEdge): StartRequest {
  const line: CommandLine = parseCommandLine(argv);
  if (line.action === "help") return line;
  if (line.action === "version") return versionRequest(line.options, edge);
  return { action: "run", settings: runSettings(line, edge) };
}

function runSettings(line: RunCommandLine, edge: StartEdge): Settings {
  refuseOptionConflicts(line.options, factsOf(line.options, edge));
  const conf = configuration(line.options, edge);
  refuseConfigConflicts(line, conf);
  const warnings = sendmailCfWarnings(line, edge);
  const { uid, cwd, engineSocket, cores } = edge;
  const { TMPDIR: tmpdir } = edge.env;
  return resolveSettings(line, conf, { uid, tmpdir, cwd, warnings, engineSocket, cores });
}

function configuration(options: GivenOptions, edge: StartEdge): ClamdConf {
  const given = options.values["config-file"];
  return loadClamdConf(typeof given === "string" ? given : null, edge);
}

/** The version is printed even when clamd cannot be found: the reader then learns why. */
function versionRequest(options: GivenOptions, edge: StartEdge): StartRequest {
  if (options.values.external !== true) {
    const directory = databaseDirectory(options, edge);
    return { action: "version", servers: [], readTimeout: 0, problem: null, databaseDirectory: directory };
  }
  try {
    const conf = configuration(options, edge);
    const { servers } = externalScanners(options, conf);
    const readTimeout = numberOf(conf, "ReadTimeout") ?? 0;
    return { action: "version", servers, readTimeout, problem: null, databaseDirectory: null };
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const { message: problem } = error;
    return { action: "version", servers: [], readTimeout: 0, problem, databaseDirectory: null };
  }
}

/** Without a clamd.conf that can be read, the usual one. */
function databaseDirectory(options: GivenOptions, edge: StartEdge): string {
  let directory: string | null = null;
  try {
    directory = textOf(configuration(options, edge), "DatabaseDirectory");
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
  }
  return directory ?? TEXTS.DatabaseDirectory.default;
}

function factsOf(options: GivenOptions, edge: StartEdge): StartFacts {
  const unreadable = new Map<OptionName, string>();
  for (const { name } of FILES_TO_READ) {
    const file = options.values[name];
    if (typeof file !== "string") continue;
    const problem = problemOf(() => edge.access(posix.resolve(edge.cwd, file), "read"));
    if (problem !== null) unreadable.set(name, problem);
  }
  const quarantine = options.values["quarantine-dir"];
  const quarantineDirectory = typeof quarantine === "string" ? directoryFact(quarantine, edge) : null;
  return { uid: edge.uid, quarantineDirectory, unreadable };
}

function directoryFact(path: string, edge: StartEdge): DirectoryFact {
  try {
    const { mode, directory } = edge.stat(path);
    return { found: true, directory, mode, writable: problemOf(() => edge.access(path, "write")) === null };
  } catch (error) {
    return { found: false, problem: messageOf(error) };
  }
}

function problemOf(attempt: () => void): string | null {
  try {
    attempt();
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
