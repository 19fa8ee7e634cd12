import { randomBytes } from "node:crypto";
import { accessSync, chmodSync, constants, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { failure } from "../../scripts/debian/failure.ts";
import { REPOSITORY } from "../../scripts/debian/parts.ts";

/** The kernel takes 107 bytes for the path of a unix socket; this leaves room for the folder's and its name. */
const LONGEST = 60;

/** A temporary folder of one test. */
export interface LabFolder {
  readonly path: string;
  /** Removes the folder and everything in it; more than once does no harm. */
  remove(): void;
}

/**
 * A folder that mail servers trust: nobody but root can write in it or in any folder above it, and everybody can
 * pass through. sendmail refuses a milter's unix socket anywhere else (below /tmp, say), and Postfix's unprivileged
 * processes cannot reach a folder below a closed home. Below `.cache/run` of the checkout when that will do,
 * otherwise below /run or /var/lib.
 * @throws code `NO_TRUSTED_FOLDER` when no place will do
 */
export function trustedFolder(): LabFolder {
  const bases = [join(REPOSITORY, ".cache/run"), "/run", "/var/lib"];
  const base = bases.find((path) => {
    if (path.length > LONGEST) return false;
    if (path.startsWith(REPOSITORY)) mkdirSync(path, { recursive: true, mode: 0o755 });
    return isTrusted(path);
  });
  if (base === undefined) {
    throw failure(
      "NO_TRUSTED_FOLDER",
      `none of ${bases.join(", ")} is writable for this user and safe from others`,
    );
  }
  const path = join(base, `lab-${randomBytes(5).toString("hex")}`);
  mkdirSync(path);
  chmodSync(path, 0o755);
  return removable(path);
}

/** A temporary folder for whatever does not mind others' writing above it. */
export function plainFolder(): LabFolder {
  return removable(mkdtempSync(join(tmpdir(), "milter-lab-")));
}

function removable(path: string): LabFolder {
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

function isTrusted(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
  } catch {
    return false;
  }
  for (let folder = path; ; folder = dirname(folder)) {
    const { mode, uid } = statSync(folder);
    const writable = (mode & 0o022) !== 0;
    const passable = (mode & 0o001) !== 0;
    if (writable || !passable || (uid !== 0 && uid !== process.getuid?.())) return false;
    if (folder === "/") return true;
  }
}
