import { closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { MAX_MESSAGE } from "../ipc/channel.ts";
import type { AccessEdge } from "./access-tables.ts";

/** What is longer could not be handed to the children anyway. */
const LONGEST_FILE = MAX_MESSAGE;
/** Milliseconds for one netgroup. */
const NETGROUP_PATIENCE = 2000;
/** getent's status for a key that it does not find. */
const NOT_FOUND = 2;

/** The system's own tables: hosts_access(5), "FILES". */
export const SYSTEM_ACCESS: AccessEdge = {
  allow: "/etc/hosts.allow",
  deny: "/etc/hosts.deny",
  read: readLatin1,
  stamp: stampOf,
  netgroup: netgroupHosts,
};

/**
 * @param most bytes
 * @throws Error when the file exists but cannot be read, or is too long; never waits for a writer of a pipe
 */
export function readLatin1(path: string, most = LONGEST_FILE): string | null {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  try {
    const buffer = Buffer.alloc(most + 1);
    let length = 0;
    for (;;) {
      const read = readSync(fd, buffer, length, buffer.length - length, null);
      if (read === 0) return buffer.toString("latin1", 0, length);
      length += read;
      if (length > most) throw new Error(`longer than ${most} bytes`);
    }
  } finally {
    closeSync(fd);
  }
}

/** @returns what tells one state of a file from another */
export function stampOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join();
  } catch (error) {
    return codeOf(error);
  }
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR";
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}

/** @throws Error when getent is not there, takes too long or does not know the netgroup */
export async function netgroupHosts(name: string): Promise<readonly string[]> {
  const child = Bun.spawn(["getent", "netgroup", "--", name], {
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
    timeout: NETGROUP_PATIENCE,
    killSignal: "SIGKILL",
  });
  const [text, status] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  if (child.signalCode !== null) throw new Error(`getent has no answer within ${NETGROUP_PATIENCE} ms`);
  if (status === NOT_FOUND) throw new Error("there is no such netgroup");
  if (status !== 0) throw new Error(`getent ended with status ${status}`);
  return hostsOfNetgroup(text);
}

/** Hosts in getent's answer, `NAME (host,user,domain) (…`; one that is left empty stands for every host. */
export function hostsOfNetgroup(text: string): readonly string[] {
  return [...text.matchAll(/\(([^,()]*),[^()]*\)/g)].map(([, host = ""]) => host.trim());
}
