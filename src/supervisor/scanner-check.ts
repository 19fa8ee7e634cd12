import type { ServerAddress } from "../clamd/address.ts";
import { connectClamd } from "../clamd/connect.ts";
import { EXIT, StartError } from "../cli/start-error.ts";

/** Milliseconds for the connexion, and again for the answer. */
const PATIENCE = 5000;

/**
 * Asks a clamd for its version.
 * @throws ClamdError, or Error when it does not answer or is no clamd
 */
export async function askClamdVersion(address: ServerAddress): Promise<string> {
  const session = await connectClamd(address, PATIENCE, () => {});
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${address.name}: does not answer`)), PATIENCE);
  try {
    const version = await Promise.race([session.version(), late.promise]);
    // Its version may be kept secret (EnableVersionCommand no, clamd 1.5): then it is a clamd all the same.
    if (version === "COMMAND UNAVAILABLE") return "ClamAV";
    if (!version.startsWith("ClamAV "))
      throw new Error(`${address.name}: is not a clamd, it says ${JSON.stringify(version.slice(0, 80))}`);
    return version;
  } finally {
    clearTimeout(timer);
    session.quit();
  }
}

/**
 * Man page, `--server`: all servers must be up when the program starts.
 * @throws StartError `SCANNER_DOWN` (69) naming those that are not
 */
export async function requireScanners(servers: readonly ServerAddress[]): Promise<void> {
  const answers = await Promise.allSettled(servers.map(askClamdVersion));
  const problems = answers.flatMap((answer, at) => {
    if (answer.status === "fulfilled") return [];
    const name = servers[at]?.name ?? "";
    const reason = answer.reason instanceof Error ? answer.reason.message : String(answer.reason);
    return [reason.startsWith(name) ? reason : `${name}: ${reason}`];
  });
  if (problems.length === 0) return;
  throw new StartError("SCANNER_DOWN", EXIT.UNAVAILABLE, `clamd does not answer: ${problems.join("; ")}`);
}
