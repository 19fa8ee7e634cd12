import type { ServerAddress } from "../clamd/address.ts";
import { connectClamd } from "../clamd/connect.ts";
import { EXIT, StartError } from "../cli/start-error.ts";

/** Milliseconds for the connexion, and again for the answer. */
const PATIENCE = 5000;
/** Milliseconds between two attempts, growing. */
const FIRST_PAUSE = 100;
const LAST_PAUSE = 1000;
/** Milliseconds after which it is said that a server is waited for. */
const SAY_AFTER = 1000;

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

/** How the servers are waited for. */
export interface ScannerPatience {
  /** Seconds, `--wait-for-clamd`; 0: one attempt at each server. */
  readonly seconds: number;
  /** Told once when servers do not answer at once, with their names. */
  readonly onWait: (names: readonly string[]) => void;
  /** Whether the program is to end: nothing is waited for then. */
  readonly stopped: () => boolean;
}

/**
 * Man page, `--server`: all servers must be up when the program starts; `--wait-for-clamd` gives them time for that.
 * @throws StartError `SCANNER_DOWN` (69) naming those that are not
 */
export async function requireScanners(
  servers: readonly ServerAddress[],
  patience: ScannerPatience,
): Promise<void> {
  const end = performance.now() + patience.seconds * 1000;
  const problems = new Map<ServerAddress, string>(
    servers.map((server) => [server, `${server.name}: does not answer`]),
  );
  const timer = setTimeout(() => {
    if (patience.seconds > 0) patience.onWait([...problems.keys()].map(({ name }) => name));
  }, SAY_AFTER);
  const attempt = async (server: ServerAddress): Promise<void> => {
    for (let pause = FIRST_PAUSE; ; pause = Math.min(LAST_PAUSE, pause * 2)) {
      const problem = await problemWith(server);
      if (problem === null) problems.delete(server);
      else problems.set(server, problem);
      if (problem === null || patience.stopped() || performance.now() + pause > end) return;
      await Bun.sleep(pause);
    }
  };
  try {
    await Promise.all(servers.map(attempt));
  } finally {
    clearTimeout(timer);
  }
  if (problems.size === 0 || patience.stopped()) return;
  const waited = patience.seconds > 0 ? ` within ${patience.seconds} s` : "";
  const text = `clamd does not answer${waited}: ${[...problems.values()].join("; ")}`;
  throw new StartError("SCANNER_DOWN", EXIT.UNAVAILABLE, text);
}

/** Why a server cannot be used, or null. */
async function problemWith(server: ServerAddress): Promise<string | null> {
  try {
    await askClamdVersion(server);
    return null;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return reason.startsWith(server.name) ? reason : `${server.name}: ${reason}`;
  }
}
