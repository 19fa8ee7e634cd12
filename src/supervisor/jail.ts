/** What the engine needs in a jail that only root can write to. */
import { chownSync, lstatSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** The one directory that such a jail gets; it stays, empty, since the user cannot remove it. */
const NAME = "clamav-milter-engine";
const OTHERS_WRITE = 0o022;

/** Where an engine's temporary files lie in a jail. */
export function engineFolder(jail: string): string {
  const folder = join(jail, NAME);
  return lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? folder : jail;
}

/**
 * Makes that directory, and gives it to the user. For root, before it becomes the user; does nothing where others than
 * root can write: there the user helps itself, and a path could be changed under our hands.
 * @throws Error naming what is in the way
 */
export function prepareJail(jail: string, uid: number, gid: number): void {
  const { uid: owner, mode } = statSync(jail);
  if (owner !== 0 || (mode & OTHERS_WRITE) !== 0) return;
  const folder = join(jail, NAME);
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found === undefined) mkdirSync(folder, { mode: 0o700 });
  else if (!found.isDirectory()) throw new Error(`${folder} is not a directory`);
  if (found?.uid !== uid) chownSync(folder, uid, gid);
}
