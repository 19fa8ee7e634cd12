import { posix } from "node:path";
import { EXIT, StartError } from "../cli/start-error.ts";
import { type ConfigReader, isAbsent } from "./config-file.ts";
import { checkSendmailCf } from "./sendmail-cf.ts";
import type { RunCommandLine } from "./settings.ts";

/** Where sendmail.cf is looked for without `--sendmail-cf` (man page). */
export const DEFAULT_CF_FILES: readonly string[] = ["/etc/mail/sendmail.cf", "/etc/sendmail.cf"];

export interface CfReader extends ConfigReader {
  /** @throws Error when nothing is found there */
  realPath(path: string): string;
}

/**
 * The check of sendmail.cf at start. There is none with `--no-check-cf`, with `--chroot`, with an empty
 * `--sendmail-cf=`, with a socket address of the network, where the MTA may be on another host (decisions 7, CB
 * 3.2), and on a host without the file, such as one with Postfix.
 *
 * @returns what the administrator should know, though it does not keep the program from starting
 * @throws StartError `SENDMAIL_CF` (78) when the file names other filters only, or the one given cannot be read
 */
export function sendmailCfWarnings(line: RunCommandLine, reader: CfReader): readonly string[] {
  const { values } = line.options;
  const given = values["sendmail-cf"];
  const unwanted = values["no-check-cf"] === true || values.chroot !== undefined || given === "";
  if (unwanted || line.sockets.some((socket) => socket.kind !== "unix")) return [];
  const check = (file: string): readonly string[] =>
    checkSendmailCf({
      file,
      text: reader.readFile(file),
      sockets: line.sockets,
      realPath: (path) => realSocketPath(path, reader),
    });
  if (typeof given === "string") return checkGiven(given, posix.resolve(reader.cwd, given), check);
  for (const file of DEFAULT_CF_FILES) {
    try {
      return check(file);
    } catch (error) {
      if (error instanceof StartError) throw error;
      if (!isAbsent(error)) return [`${file}: cannot be checked: ${messageOf(error)}`];
    }
  }
  return [];
}

function checkGiven(
  given: string,
  file: string,
  check: (file: string) => readonly string[],
): readonly string[] {
  try {
    return check(file);
  } catch (error) {
    if (error instanceof StartError) throw error;
    const message = `--sendmail-cf: cannot read ${given}: ${messageOf(error)}`;
    throw new StartError("SENDMAIL_CF", EXIT.CONFIG, message);
  }
}

/** Links are followed in the directory only (/var/run is often one): the socket itself need not exist yet. */
function realSocketPath(path: string, reader: CfReader): string {
  try {
    return posix.join(reader.realPath(posix.dirname(path)), posix.basename(path));
  } catch {
    return path;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
