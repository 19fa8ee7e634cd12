import { accessSync, constants, readFileSync, realpathSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { StartEdge } from "./start-settings.ts";

/** The same whenever the settings are read anew, and no other process's. */
const ENGINE_SOCKET = `\0clamav-milter-engine.${process.pid}.${crypto.randomUUID().slice(0, 8)}`;

/** The real files, user and environment of this process. */
export function systemEdge(): StartEdge {
  return {
    uid: process.getuid?.() ?? -1,
    env: process.env,
    cwd: process.cwd(),
    engineSocket: ENGINE_SOCKET,
    cores: availableParallelism(),
    readFile: (path) => readFileSync(path, "utf8"),
    realPath: (path) => realpathSync(path),
    stat: (path) => {
      const found = statSync(path);
      return { mode: found.mode, directory: found.isDirectory() };
    },
    access: (path, right) =>
      accessSync(path, right === "read" ? constants.R_OK : constants.W_OK | constants.X_OK),
  };
}
