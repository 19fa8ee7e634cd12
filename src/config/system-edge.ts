import { accessSync, constants, readFileSync, realpathSync, statSync } from "node:fs";
import type { StartEdge } from "./start-settings.ts";

/** The real files, user and environment of this process. */
export function systemEdge(): StartEdge {
  return {
    uid: process.getuid?.() ?? -1,
    env: process.env,
    cwd: process.cwd(),
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
