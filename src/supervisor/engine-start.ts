import { EXIT, StartError } from "../cli/start-error.ts";
import type { Settings } from "../config/settings.ts";
import type { Log } from "../log/log.ts";
import { Engines } from "./engines.ts";
import type { ServiceManager } from "./service-manager.ts";

/** While a database is loaded a service manager is told so often that the start takes so long yet. Milliseconds. */
const EXTEND_EVERY = 10_000;
const EXTENSION = 30_000;

/**
 * What runs the built-in engine; null with `--external`.
 * @param onEnd gets what is to be done in the end
 */
export function enginesFor(
  settings: Settings,
  log: Log,
  onEnd: (work: () => Promise<void>) => void,
): Engines | null {
  const [server] = settings.servers;
  if (settings.engine === null || server?.kind !== "unix") return null;
  const engines = new Engines(settings.engine, {
    socket: server.path,
    jail: settings.jail,
    log,
    startWithout: settings.acceptOnError,
  });
  onEnd(() => engines.stop());
  return engines;
}

/**
 * Starts the first engine, which loads the database.
 * @throws StartError `NO_ENGINE` (78) naming what is missing
 */
export async function startEngines(engines: Engines, manager: ServiceManager): Promise<void> {
  manager.extendStart(EXTENSION);
  const timer = setInterval(() => manager.extendStart(EXTENSION), EXTEND_EVERY);
  try {
    await engines.start();
  } catch (error) {
    throw new StartError("NO_ENGINE", EXIT.CONFIG, error instanceof Error ? error.message : String(error));
  } finally {
    clearInterval(timer);
  }
}
