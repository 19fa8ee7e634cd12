import { randomBytes } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { copyInstalled, downloadPackages, type Plan, planPackages, refreshLists } from "./apt.ts";
import { run, runWell } from "./child.ts";
import { failure, hasCode } from "./failure.ts";
import { withLock } from "./lock.ts";
import { SETS, type SetName } from "./sets.ts";

/** A set of Debian packages, unpacked below a private root and ready to run. */
export interface Part {
  readonly set: SetName;
  /** Absolute path of the folder that stands for `/` of these packages. */
  readonly root: string;
  /** Version of each package, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** Value for LD_LIBRARY_PATH that finds the libraries of the root. */
  readonly libraryPath: string;
}

/** The parts that were asked for. */
export type Parts<Name extends SetName = SetName> = Readonly<Record<Name, Part>>;

interface Marker {
  readonly system: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Absolute path of the checkout. */
export const REPOSITORY = resolve(import.meta.dir, "../..");

/** Where everything that comes from Debian lives; may be removed at any time when nothing runs. */
export const DEBIAN_CACHE = join(REPOSITORY, ".cache/debian");

const MARKER = "parts.json";

/**
 * Makes sure that sets of Debian packages are unpacked in the cache. A second call with everything there does not
 * touch the network. Nothing is installed on the host. Two runs at once wait for each other.
 * @throws code `NOT_DEBIAN`, `NOT_ROOT`, `OFFLINE`, `PACKAGE_UNKNOWN`, `PACKAGE_CLOSURE`, `DOWNLOAD_FAILED`,
 *   `PART_INCOMPLETE` or `LOCK_BUSY`
 */
export async function bringParts<Name extends SetName>(sets: readonly Name[]): Promise<Parts<Name>> {
  const usable = await Promise.all(sets.map(isUsable));
  if (usable.includes(false)) {
    demandDebian();
    demandWritableCache();
    await withLock(join(DEBIAN_CACHE, "lock"), () => bringMissing(sets));
  }
  return Object.fromEntries(sets.map((set) => [set, cachedPart(set)])) as Record<Name, Part>;
}

/**
 * Gives a set that was brought before, without any effort to bring it.
 * @throws code `PARTS_MISSING` naming the command that brings it
 */
export function cachedPart(set: SetName): Part {
  const part = readPart(set);
  if (part === undefined) {
    throw failure(
      "PARTS_MISSING",
      `Debian's ${set} is not in ${DEBIAN_CACHE}: run scripts/test, which brings it`,
    );
  }
  return part;
}

/**
 * The argument vector that runs a program of a part. The library path is set for this program alone, so that
 * the host's own helpers in front of it (`unshare`, `setpriv`, `sh`) keep the host's libraries.
 * @param program path below the root, e.g. `usr/sbin/clamd`
 */
export function partCommand(part: Part, program: string, args: readonly string[] = []): string[] {
  return ["env", `LD_LIBRARY_PATH=${part.libraryPath}`, join(part.root, program), ...args];
}

function demandDebian(): void {
  for (const tool of ["/usr/bin/apt-get", "/usr/bin/dpkg", "/usr/bin/flock"]) {
    if (!existsSync(tool)) {
      throw failure(
        "NOT_DEBIAN",
        `${tool} is missing: the real mail servers and clamd come from Debian's packages`,
      );
    }
  }
}

function demandWritableCache(): void {
  try {
    mkdirSync(DEBIAN_CACHE, { recursive: true });
    accessSync(DEBIAN_CACHE, constants.W_OK);
  } catch {
    throw failure(
      "NOT_ROOT",
      `${DEBIAN_CACHE} is not writable for this user: run this as its owner or as root`,
    );
  }
}

function readPart(set: SetName): Part | undefined {
  const folder = join(DEBIAN_CACHE, set);
  try {
    const marker = JSON.parse(readFileSync(join(folder, MARKER), "utf8")) as Marker;
    if (marker.system !== systemName()) return undefined;
    const root = join(folder, "root");
    return { set, root, versions: marker.versions, libraryPath: libraryPath(root) };
  } catch {
    return undefined;
  }
}

/** Release and processor: parts of another system are brought again. */
function systemName(): string {
  const release = /^VERSION_CODENAME=(\S+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "unknown";
  return `${release} ${process.arch}`;
}

function libraryPath(root: string): string {
  const folders = ["usr/lib", "lib"].flatMap((folder) => {
    const path = join(root, folder);
    const names = existsSync(path) ? readdirSync(path) : [];
    return names
      .filter((name) => name.includes("-linux-") || name === "postfix")
      .flatMap((name) => [join(path, name), join(path, name, "systemd")])
      .filter((each) => existsSync(each));
  });
  return folders.join(":");
}

async function bringMissing(sets: readonly SetName[]): Promise<void> {
  for (const name of readdirSync(DEBIAN_CACHE)) {
    if (name.startsWith(".new-") || name.startsWith(".old-")) removeTree(join(DEBIAN_CACHE, name));
  }
  const lists = { fresh: false };
  for (const set of sets) {
    if (await isUsable(set)) continue;
    console.error(`Bringing Debian's ${set} into ${join(DEBIAN_CACHE, set)}`);
    await bringOne(set, lists);
  }
}

/** A set that was fine may have lost a library with a package that was removed from the host since. */
async function isUsable(set: SetName): Promise<boolean> {
  const part = readPart(set);
  if (part === undefined) return false;
  try {
    await demandLoadable(set, part.root);
    return true;
  } catch (error) {
    if (hasCode(error, "PART_INCOMPLETE")) return false;
    throw error;
  }
}

/** Brings a set; when a package is not known or cannot be downloaded, the lists are fetched anew, once a run. */
async function bringOne(set: SetName, lists: { fresh: boolean }): Promise<void> {
  try {
    await unpackSet(set);
  } catch (error) {
    const outdated = hasCode(error, "PACKAGE_UNKNOWN") || hasCode(error, "DOWNLOAD_FAILED");
    if (!outdated || lists.fresh) throw error;
    await refreshLists();
    lists.fresh = true;
    await unpackSet(set);
  }
}

async function unpackSet(set: SetName): Promise<void> {
  const fresh = join(DEBIAN_CACHE, `.new-${set}-${randomBytes(4).toString("hex")}`);
  const root = join(fresh, "root");
  const debs = join(fresh, "debs");
  const emptyStatus = join(fresh, "empty-status");
  mkdirSync(root, { recursive: true });
  mkdirSync(debs);
  writeFileSync(emptyStatus, "");
  try {
    const plan = await planPackages(SETS[set].packages, emptyStatus);
    await downloadPackages(plan.download, debs);
    const versions = await fillRoot(plan, debs, root);
    await demandLoadable(set, root);
    removeTree(debs);
    rmSync(emptyStatus);
    const marker: Marker = { system: systemName(), versions };
    writeFileSync(join(fresh, MARKER), `${JSON.stringify(marker, undefined, 2)}\n`);
    replaceFolder(fresh, join(DEBIAN_CACHE, set));
  } finally {
    removeTree(fresh);
  }
}

async function fillRoot(plan: Plan, debs: string, root: string): Promise<Record<string, string>> {
  const versions: Record<string, string> = {};
  for (const { name, version } of plan.download) versions[name] = version;
  for (const file of readdirSync(debs)) {
    await runWell({ argv: ["dpkg", "-x", join(debs, file), root], deadline: 120_000 });
  }
  for (const name of plan.copy) versions[name] = await copyInstalled(name, root);
  // A set-group-id program ignores LD_LIBRARY_PATH, and a private copy must give nobody any rights.
  await runWell({ argv: ["chmod", "-R", "ug-s", root] });
  return versions;
}

/** A program that lacks a library would fail much later and much less clearly. */
async function demandLoadable(set: SetName, root: string): Promise<void> {
  for (const program of SETS[set].programs) {
    const path = join(root, program);
    if (!existsSync(path)) throw failure("PART_INCOMPLETE", `${set}: no ${program} in Debian's packages`);
    const { stdout } = await run({ argv: ["ldd", path], env: { LD_LIBRARY_PATH: libraryPath(root) } });
    const missing = stdout.split("\n").filter((line) => line.includes("not found"));
    if (missing.length > 0) {
      throw failure("PART_INCOMPLETE", `${set}: ${program} lacks libraries:\n${missing.join("\n")}`);
    }
  }
}

function replaceFolder(fresh: string, target: string): void {
  if (existsSync(target)) {
    const old = join(DEBIAN_CACHE, `.old-${randomBytes(4).toString("hex")}`);
    renameSync(target, old);
    removeTree(old);
  }
  renameSync(fresh, target);
}

function removeTree(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
