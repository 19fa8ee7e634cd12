import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { failure } from "../../scripts/debian/failure.ts";
import { cachedPart } from "../../scripts/debian/parts.ts";

/** A clock that goes differently for one program and all that it starts. */
export interface ShiftedClock {
  /** What the program is to be run by. */
  readonly wrapper: readonly string[];
  /**
   * How many seconds the clock is ahead of the real one from now on, the monotonic one too. Processes that run already
   * notice it within ten seconds.
   */
  set(seconds: number): void;
}

const WANTED = ["passwd", "group", "hosts", "nsswitch.conf", "resolv.conf", "localtime"];

/**
 * Makes a clock. It is put in front of the C library by an /etc of the program's own, since the filter hands no
 * variable of its environment on. Needs root.
 * @param folder where that /etc is made
 */
export function shiftedClock(folder: string): ShiftedClock {
  const etc = join(folder, "shifted-etc");
  mkdirSync(etc);
  for (const name of WANTED.filter((each) => existsSync(join("/etc", each)))) {
    copyFileSync(join("/etc", name), join(etc, name));
  }
  writeFileSync(join(etc, "ld.so.preload"), `${library()}\n`);
  const set = (seconds: number): void => writeFileSync(join(etc, "faketimerc"), `+${seconds}\n`);
  set(0);
  const setup = 'mount --bind "$1" /etc && shift && exec "$@"';
  return { wrapper: ["unshare", "--mount", "--", "sh", "-c", setup, "sh", etc], set };
}

function library(): string {
  const { root } = cachedPart("faketime");
  const base = join(root, "usr/lib");
  const found = readdirSync(base)
    .map((name) => join(base, name, "faketime/libfaketime.so.1"))
    .find((path) => existsSync(path));
  if (found === undefined) throw failure("PART_INCOMPLETE", `there is no libfaketime.so.1 below ${base}`);
  return found;
}
