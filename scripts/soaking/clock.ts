import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { bringParts } from "../debian/parts.ts";

/** A clock that only the filter sees. */
export interface FilterClock {
  /** Runs a command that sees this clock, with a view of /etc and /dev/shm of its own. */
  readonly wrapper: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Sets it so many seconds apart from the real one. Processes see it within {@link CLOCK_DELAY}. */
  set(seconds: number): void;
}

/** The library reads its file again after so long. Milliseconds. */
export const CLOCK_DELAY = 11_000;

/** The environment variable that keeps the library from changing the monotonic clock too, and what it has to be. */
const SWITCH = "DONT_FAKE_MONOTONIC\0";
/** The filter gives its processes an environment of its own. This variable of ours reaches them all. */
const KEPT = "TZ\0";

/**
 * The wall clock of the filter's processes, by Debian's faketime library. Variables would not reach them: the library
 * comes by /etc/ld.so.preload and its time by /etc/faketimerc, in a mount namespace of the filter's own, and in a copy
 * of it the variable that says to leave the monotonic clock alone has another name.
 */
export async function filterClock(folder: string): Promise<FilterClock> {
  const { faketime } = await bringParts(["faketime"]);
  const [library] = new Glob("usr/lib/*/faketime/libfaketimeMT.so.1").scanSync(faketime.root);
  if (library === undefined) throw new Error(`${faketime.root} has no libfaketimeMT.so.1`);
  const bytes = readFileSync(join(faketime.root, library));
  const at = bytes.indexOf(SWITCH);
  if (at < 0) throw new Error(`${library} has no switch for the monotonic clock`);
  bytes.write(KEPT, at, "latin1");
  const copy = join(folder, "libfaketime.so");
  writeFileSync(copy, bytes);
  const file = join(folder, "clock");
  const set = (seconds: number): void => {
    writeFileSync(`${file}.new`, `${seconds < 0 ? "" : "+"}${seconds}\n`);
    renameSync(`${file}.new`, file);
  };
  set(0);
  const etc = join(folder, "etc");
  mkdirSync(etc, { recursive: true });
  writeFileSync(join(etc, "ld.so.preload"), `${copy}\n`);
  symlinkSync(file, join(etc, "faketimerc"));
  // What the library leaves in /dev/shm of processes that were killed goes with the namespace.
  const script =
    'mount -t overlay none -o "lowerdir=$1:/etc" /etc && mount -t tmpfs -o size=2g none /dev/shm && shift && exec "$@"';
  return {
    wrapper: ["unshare", "--mount", "sh", "-c", script, "sh", etc],
    // The library wants a 1; as a time zone it is UTC.
    env: { TZ: "1" },
    set,
  };
}
