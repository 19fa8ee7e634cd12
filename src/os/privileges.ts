/**
 * From root to a user, into the jail, and the loss of every right (decisions 7; man page, `User`,
 * `AllowSupplementaryGroups`, `--chroot`). All of it is for the main thread, at the start of a role.
 */
import { closeSync, fstatSync, readdirSync, readFileSync } from "node:fs";
import type { Account } from "./accounts.ts";
import { capabilityNames, readRights } from "./capabilities.ts";
import {
  changeRoot,
  clearOwnCapabilities,
  forbidTracing,
  groupIds,
  hasCapability,
  initGroups,
  isTraceable,
  keepCapabilities,
  keepOnlyChroot,
  setGroupIds,
  setOnlyGroup,
  setUserIds,
  userIds,
} from "./credential-calls.ts";
import { OsError } from "./libc.ts";
import { clearOtherThreads, openThreadList, type ThreadList } from "./thread-capabilities.ts";

/** Why a process must not go on: it could do more than it should. */
export type PrivilegeCode =
  /** Rights that were given up are still there, or can be had back. */
  | "RIGHTS_REMAIN"
  /** A directory is open, which is a way out of the jail. */
  | "DIRECTORY_OPEN"
  /** What should be a user is root. */
  | "USER_IS_ROOT";

/** A process has, or would have, more rights than it should: it must end. */
export class PrivilegeError extends Error {
  readonly code: PrivilegeCode;

  constructor(code: PrivilegeCode, message: string) {
    super(message);
    this.name = "PrivilegeError";
    this.code = code;
  }
}

export interface BecomeUserOptions {
  /** `AllowSupplementaryGroups`: all the groups that the host gives the user, not the primary one alone. */
  readonly supplementaryGroups: boolean;
  /**
   * The main thread keeps the right to change its root directory (CAP_SYS_CHROOT) and hands it on to the programs
   * that it starts, so that children can be placed in the jail. No other thread has it, until new ones are born:
   * see {@link confineChrootRight}.
   */
  readonly keepChroot: boolean;
}

/** CAP_SYS_CHROOT as a set. */
const CHROOT = 1n << 18n;

/** Milliseconds that other threads get to take their signal. */
const PATIENCE = 5000;

/**
 * Root becomes a user on every thread, for good. Afterwards no other process of that user can trace this one. The
 * signal for the parent's death (`dieWithParent`) is forgotten by the kernel on the way: ask for it after this.
 * @throws OsError `EPERM` when the process is not root, or not allowed to do as root does
 * @throws PrivilegeError when the user is root, or rights remain: the process must end
 */
export function becomeUser(user: Account, options: BecomeUserOptions): void {
  if (user.uid === 0) throw new PrivilegeError("USER_IS_ROOT", `user ${user.name} has the rights of root`);
  if (options.keepChroot) keepCapabilities(true);
  if (options.supplementaryGroups) initGroups(user.name, user.gid);
  else setOnlyGroup(user.gid);
  setGroupIds(user.gid);
  setUserIds(user.uid);
  if (options.keepChroot) {
    keepOnlyChroot();
    keepCapabilities(false);
  } else clearOwnCapabilities();
  forbidTracing();
  const threads = openThreadList();
  try {
    checkOtherThreads(threads);
    checkIds(threads, user, options.keepChroot ? CHROOT : 0n);
  } finally {
    threads.close();
  }
  checkRootIsGone();
  if (isTraceable()) throw remaining("can still be traced");
}

/**
 * The right that {@link becomeUser} has kept is taken from every thread but the main one again: a thread that the
 * runtime starts later inherits it from the main one. Costs little when there is none; for the supervisor, after
 * its start and now and then.
 * @throws PrivilegeError when a thread cannot be reached
 */
export function confineChrootRight(): void {
  const threads = openThreadList();
  try {
    checkOtherThreads(threads);
  } finally {
    threads.close();
  }
}

/**
 * Places this process in the jail, then drops all rights. For a process that holds the right to change its root
 * and is not root: one that was started by a supervisor with `keepChroot`, or that has just become the user so.
 * Directories that are open are closed: `fchdir` to one leads out.
 * @param directory as it is seen from outside; it may be empty
 * @throws what changing to the directory throws (ENOENT, ENOTDIR, EACCES); OsError `EPERM` without the right;
 *   PrivilegeError when rights remain: the process must end in each case
 */
export function enterJail(directory: string): void {
  refuseRoot();
  closeDirectories();
  const threads = openThreadList();
  try {
    process.chdir(directory);
    changeRoot(".");
    process.chdir("/");
    dropWith(threads);
  } finally {
    threads.close();
  }
  if (canChangeRoot()) throw remaining("can still change its root directory");
}

/**
 * The last step of every role: no thread has any capability or can get one or root back, no other process of the
 * same user can trace this one, no core file is written. Where there is nothing to drop it only checks. Needs
 * /proc; in a jail, {@link enterJail} has done it already.
 * @throws PrivilegeError when the process is root or rights remain: the process must end
 */
export function dropAllRights(): void {
  refuseRoot();
  const threads = openThreadList();
  try {
    dropWith(threads);
  } finally {
    threads.close();
  }
}

function dropWith(threads: ThreadList): void {
  // First of all: until the capability is gone a brother without it may not trace this process anyway.
  forbidTracing();
  keepCapabilities(false);
  clearOwnCapabilities();
  checkOtherThreads(threads);
  if (hasCapability(0) !== false) throw remaining("kept a capability");
  checkRootIsGone();
  if (isTraceable()) throw remaining("can still be traced");
}

function checkOtherThreads(threads: ThreadList): void {
  const left = clearOtherThreads(threads, PATIENCE);
  if (left.length > 0) throw remaining(`could not take the capabilities from threads ${left.join(", ")}`);
}

/**
 * Every thread has the user's ids and nothing else. While the main thread has the right to change its root, one
 * born of it just now may have it too.
 */
function checkIds(threads: ThreadList, user: Account, allowed: bigint): void {
  for (const tid of threads.read()) {
    const status = readThreadStatus(tid);
    if (status === null) continue;
    const { uids, gids, capabilities } = readRights(status);
    if (uids.some((id) => id !== user.uid) || gids.some((id) => id !== user.gid)) {
      throw remaining(`has ids ${uids.join("/")} and ${gids.join("/")} on thread ${tid}`);
    }
    const more = capabilityNames(capabilities & ~allowed);
    if (more.length > 0) throw remaining(`has ${more.join(" ")} on thread ${tid}`);
  }
}

function readThreadStatus(tid: number): string | null {
  try {
    return readFileSync(`/proc/self/task/${tid}/status`, "latin1");
  } catch {
    // The thread has ended.
    return null;
  }
}

function refuseRoot(): void {
  if (userIds().includes(0))
    throw new PrivilegeError("USER_IS_ROOT", "a process that is root cannot drop its rights");
}

function checkRootIsGone(): void {
  if (userIds().includes(0) || isPermitted(() => setUserIds(0))) throw remaining("can become root again");
  // A user may have root's group as its own.
  if (!groupIds().includes(0) && isPermitted(() => setGroupIds(0))) throw remaining("can take root's group");
  const [gid] = groupIds();
  if (isPermitted(() => setOnlyGroup(gid))) throw remaining("can change its groups");
}

function canChangeRoot(): boolean {
  return isPermitted(() => changeRoot("/"));
}

function isPermitted(attempt: () => void): boolean {
  try {
    attempt();
    return true;
  } catch (error) {
    if (error instanceof OsError && error.code === "EPERM") return false;
    throw error;
  }
}

function closeDirectories(): void {
  for (const fd of openDirectories()) closeSync(fd);
  const left = openDirectories();
  if (left.length > 0) {
    throw new PrivilegeError(
      "DIRECTORY_OPEN",
      `directories are open that lead out of the jail: ${left.join(", ")}`,
    );
  }
}

function openDirectories(): readonly number[] {
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => {
      try {
        return fstatSync(fd).isDirectory();
      } catch {
        // The one that the list itself was read by.
        return false;
      }
    });
}

function remaining(what: string): PrivilegeError {
  return new PrivilegeError("RIGHTS_REMAIN", `after giving up its rights this process ${what}`);
}
