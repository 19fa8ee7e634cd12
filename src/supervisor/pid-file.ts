import { EXIT, StartError } from "../cli/start-error.ts";
import type { Settings } from "../config/settings.ts";
import { PidFileHeld, writePidFile } from "../os/pidfile.ts";

/**
 * Writes the pidfile of `--pidfile`, and sees to it that it is removed.
 * @throws StartError `ALREADY_RUNNING` (69), or `PIDFILE` (78)
 */
export function takePidFile({ pidFile }: Settings, undo: (() => void)[]): void {
  if (pidFile === null) return;
  try {
    const file = writePidFile(pidFile);
    undo.push(() => file.remove());
  } catch (error) {
    if (error instanceof PidFileHeld) {
      throw new StartError(
        "ALREADY_RUNNING",
        EXIT.UNAVAILABLE,
        `--pidfile: already running: ${error.message}`,
      );
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(
      "PIDFILE",
      EXIT.CONFIG,
      `--pidfile: cannot save the process id in ${pidFile}: ${reason}`,
    );
  }
}
