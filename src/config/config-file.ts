import { posix } from "node:path";
import { EXIT, StartError } from "../cli/start-error.ts";
import { type ClamdConf, parseClamdConf } from "./clamd-conf.ts";

/** Where clamd.conf is looked for without `--config-file` (decisions 2). */
export const DEFAULT_CONFIG_FILES: readonly string[] = [
  "/etc/clamav/clamd.conf",
  "/etc/clamd.conf",
  "/etc/clamd.d/scan.conf",
  "/usr/local/etc/clamd.conf",
];

export interface ConfigReader {
  /** Working directory, from which relative names are meant. */
  readonly cwd: string;
  /** @throws Error with a `code` such as ENOENT */
  readFile(path: string): string;
}

/**
 * Reads the clamd.conf that was asked for, or the first of the usual ones that exists. One that exists but
 * cannot be read ends the search: its settings are the ones that count.
 *
 * @throws StartError `CONFIG_FILE` (78)
 */
export function loadClamdConf(given: string | null, reader: ConfigReader): ClamdConf {
  if (given !== null) {
    const file = posix.resolve(reader.cwd, given);
    return parseClamdConf(contentOf(file, reader), file);
  }
  for (const file of DEFAULT_CONFIG_FILES) {
    try {
      return parseClamdConf(reader.readFile(file), file);
    } catch (error) {
      if (error instanceof StartError) throw error;
      if (!isAbsent(error)) throw unreadable(file, error);
    }
  }
  throw new StartError(
    "CONFIG_FILE",
    EXIT.CONFIG,
    `no clamd.conf found; tried ${DEFAULT_CONFIG_FILES.join(", ")}; --config-file=FILE names another`,
  );
}

function contentOf(file: string, reader: ConfigReader): string {
  try {
    return reader.readFile(file);
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** Whether an error of the file system says that there is no such file. */
export function isAbsent(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return error.code === "ENOENT" || error.code === "ENOTDIR";
}

function unreadable(file: string, error: unknown): StartError {
  const why = error instanceof Error ? error.message : String(error);
  return new StartError("CONFIG_FILE", EXIT.CONFIG, `${file}: cannot be read: ${why}`);
}
