import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Paths of files that take the place of the host's own in a private mount namespace. */
export interface Accounts {
  readonly passwd: string;
  readonly group: string;
  readonly nsswitch: string;
  /** Number of the user `postfix`. */
  readonly postfixUid: number;
  /** Number of the group `postdrop`. */
  readonly postdropGid: number;
}

/** Well above what Debian gives to users and services. */
const FIRST_FREE_ID = 61_500;

/**
 * Writes copies of the host's account files with Postfix's user and groups added, unless the host has them.
 * The host's own files are only read.
 */
export function writePostfixAccounts(folder: string): Accounts {
  const passwd = readFileSync("/etc/passwd", "utf8");
  const group = readFileSync("/etc/group", "utf8");
  const ids = new Set([...`${passwd}${group}`.matchAll(/^[^:]*:[^:]*:(\d+):/gm)].map(([, id]) => Number(id)));
  let next = FIRST_FREE_ID;
  const freshId = (): number => {
    while (ids.has(next)) next++;
    return next++;
  };
  const groups = ["postfix", "postdrop"].filter((name) => idOf(group, name) === undefined);
  const newGroup = group + groups.map((name) => `${name}:x:${freshId()}:\n`).join("");
  const gid = idOf(newGroup, "postfix") ?? FIRST_FREE_ID;
  const postfixUid = idOf(passwd, "postfix") ?? freshId();
  const entry = `postfix:x:${postfixUid}:${gid}::/nonexistent:/usr/sbin/nologin\n`;
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  return {
    passwd: write("passwd", idOf(passwd, "postfix") === undefined ? passwd + entry : passwd),
    group: write("group", newGroup),
    nsswitch: write(
      "nsswitch.conf",
      "passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\n",
    ),
    postfixUid,
    postdropGid: idOf(newGroup, "postdrop") ?? FIRST_FREE_ID,
  };
}

/** The third field of a line of passwd or group: the user's or the group's number. */
function idOf(text: string, name: string): number | undefined {
  const id = new RegExp(`^${name}:[^:]*:(\\d+):`, "m").exec(text)?.[1];
  return id === undefined ? undefined : Number(id);
}
