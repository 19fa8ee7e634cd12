import { chmodSync, writeFileSync } from "node:fs";

/** Writes a program that runs a command with whatever arguments it gets behind those given. @returns its path */
export function writeProgram(path: string, argv: readonly string[]): string {
  const words = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  writeFileSync(path, `#!/bin/sh\nexec ${words} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}
