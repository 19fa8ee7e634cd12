import { accessSync, constants, lstatSync, mkdirSync, readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { EXIT, type ExitCode, StartError } from "../cli/start-error.ts";
import { needsOutbox } from "../config/mail-settings.ts";
import type { Settings } from "../config/settings.ts";
import { parseTemplateHeaders } from "../notify/template-headers.ts";

/** statfs(2): file systems in memory. */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

/**
 * Looks at every place that mail is kept in and every file that mail of ours is made from; makes the spool directory.
 * To be called as the user that the program runs as.
 * @returns warnings for the log
 * @throws StartError when something could not be kept or read later
 */
export function prepareMailPlaces(settings: Settings): readonly string[] {
  const { notices, infected, signature } = settings;
  attempt("--template-file", EXIT.CONFIG, notices.templateFile, (path) => void readFileSync(path));
  attempt("--template-headers", EXIT.CONFIG, notices.templateHeaders, (path) => {
    parseTemplateHeaders(readFileSync(path, "latin1"));
  });
  attempt("--signature-file", EXIT.USAGE, signature?.file ?? null, (path) => {
    if (readFileSync(path).length === 0) throw new Error("it is empty");
  });
  attempt("--quarantine-dir", EXIT.USAGE, infected.quarantineDirectory, requirePrivate);
  if (!needsOutbox(settings)) return [];
  const { spoolDirectory, instance } = notices;
  attempt("--spool-dir", EXIT.CANTCREAT, spoolDirectory, (path) => {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    requirePrivate(path);
    mkdirSync(join(path, instance), { recursive: true, mode: 0o700 });
    requirePrivate(join(path, instance));
  });
  if (!IN_MEMORY.has(statfsSync(spoolDirectory).type)) return [];
  return [
    `--spool-dir: ${spoolDirectory} is in memory: notices that wait there are lost when the machine stops`,
  ];
}

/** @throws Error unless it is a directory that is ours alone */
function requirePrivate(path: string): void {
  const stat = lstatSync(path);
  if (!stat.isDirectory()) throw new Error("it is no directory");
  if ((stat.mode & 0o077) !== 0) {
    const mode = (stat.mode & 0o7777).toString(8).padStart(4, "0");
    throw new Error(`its mode is ${mode}; group and others must have no right to it (chmod 0700)`);
  }
  accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
}

function attempt(option: string, exit: ExitCode, path: string | null, look: (path: string) => void): void {
  if (path === null) return;
  try {
    look(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(
      "MAIL_PLACE",
      exit,
      `${option}: ${path}: ${reason} (as user ${process.getuid?.() ?? "?"})`,
    );
  }
}
