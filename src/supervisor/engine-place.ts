/** Where engines put what scans unpack: made and removed here, since an engine in a jail cannot. */
import { mkdirSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import type { EngineSettings } from "../config/engine-settings.ts";
import type { EngineOptions } from "../ipc/engine-messages.ts";
import { engineFolder } from "./jail.ts";

const PREFIX = "clamav-milter-engine.";
/** Memory as a file system, on every Linux. */
const MEMORY = "/dev/shm";
const TMPFS_MAGIC = 0x01021994;
/** Of it, so much must be free: archives are unpacked there. */
const MEMORY_WANTED = 1024 ** 3;

/**
 * Makes a directory of its own for one engine. It lies in TemporaryDirectory; in the jail when that lies elsewhere;
 * in memory when nothing else is asked for, since making files on a disk costs as much as scanning a small mail.
 * @throws Error of the system call that failed, naming the directory
 */
export function makeEngineDirectory(settings: EngineSettings, jail: string | null): EngineOptions {
  const base = baseFor(settings, jail);
  if (!settings.leaveTemporaryFiles) removeStale(base);
  const name = `${PREFIX}${process.pid}.${crypto.randomUUID().slice(0, 8)}`;
  const outside = join(base, name);
  mkdirSync(outside, { mode: 0o700 });
  const inside = jail === null ? outside : join("/", outside.slice(rootOf(jail).length));
  return { jail, temporaryOutside: outside, temporaryInside: inside };
}

/** Makes the directory of a running engine anew when somebody has removed it. */
export function restoreEngineDirectory({ temporaryOutside }: EngineOptions): void {
  try {
    mkdirSync(temporaryOutside, { mode: 0o700 });
  } catch {
    // It is there, or cannot be made: the engine tells what it sees.
  }
}

export function removeEngineDirectory({ temporaryOutside }: EngineOptions): void {
  rmSync(temporaryOutside, { recursive: true, force: true });
}

function baseFor(settings: EngineSettings, jail: string | null): string {
  if (jail !== null) {
    const root = rootOf(jail);
    return settings.temporaryDirectory.startsWith(`${root}/`)
      ? settings.temporaryDirectory
      : engineFolder(jail);
  }
  return settings.temporaryGiven || !isRoomy(MEMORY) ? settings.temporaryDirectory : MEMORY;
}

function rootOf(jail: string): string {
  return jail.replace(/\/+$/, "");
}

function isRoomy(directory: string): boolean {
  try {
    const { type, bavail, bsize } = statfsSync(directory);
    return type === TMPFS_MAGIC && bavail * bsize >= MEMORY_WANTED;
  } catch {
    return false;
  }
}

/** What a supervisor that was killed has left behind. */
function removeStale(base: string): void {
  for (const name of readdirSync(base)) {
    const pid = new RegExp(`^${PREFIX}(\\d+)\\.[0-9a-f]{8}$`).exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    try {
      rmSync(join(base, name), { recursive: true, force: true });
    } catch {
      // Another user's: not ours to remove.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
