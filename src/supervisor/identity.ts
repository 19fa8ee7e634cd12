import { readFileSync, statSync } from "node:fs";
import { EXIT, StartError } from "../cli/start-error.ts";
import type { Settings } from "../config/settings.ts";
import { lookUpGroup, lookUpUser } from "../os/accounts.ts";
import { describeRights } from "../os/capabilities.ts";
import { becomeUser } from "../os/privileges.ts";
import { prepareJail } from "./jail.ts";

/**
 * Root becomes the `User` of clamd.conf; with `--chroot` it keeps the one right that placing children in the jail
 * needs.
 * @returns the rights that are left, in words
 * @throws StartError 78 for a user that there is not, or that cannot be become
 */
export function becomeConfiguredUser(settings: Settings): string {
  if (settings.jail !== null && (settings.user === null || settings.user === "root")) {
    throw config("NO_USER", `--chroot: needs a User in ${settings.configFile} that is not root`);
  }
  if (settings.jail !== null && !statSync(settings.jail, { throwIfNoEntry: false })?.isDirectory()) {
    throw config("NO_JAIL", `--chroot: the jail ${settings.jail} is not a directory; an empty one will do`);
  }
  if (settings.user !== null && settings.user !== "root") {
    const account = lookUpUser(settings.user);
    if (account === null) {
      throw config(
        "NO_USER",
        `User in ${settings.configFile}: there is no user ${JSON.stringify(settings.user)}`,
      );
    }
    try {
      if (settings.jail !== null && settings.engine !== null) {
        prepareJail(settings.jail, account.uid, account.gid);
      }
      // The right is kept without a jail, too: until a new process has dropped it no other of the same user may
      // trace it.
      becomeUser(account, { supplementaryGroups: settings.supplementaryGroups, keepChroot: true });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw config(
        "USER_REFUSED",
        `User in ${settings.configFile}: cannot become ${settings.user}: ${reason}`,
      );
    }
  }
  return describeRights(readFileSync("/proc/self/status", "utf8"));
}

/** The number of a group. @throws StartError 78 */
export function groupOf(name: string): number {
  const group = lookUpGroup(name);
  if (group !== null) return group.gid;
  throw config("NO_GROUP", `--socket-group: there is no group ${JSON.stringify(name)}`);
}

function config(code: string, message: string): StartError {
  return new StartError(code, EXIT.CONFIG, message);
}
