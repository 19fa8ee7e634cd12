import { lookup } from "node:dns/promises";
import { chmodSync, chownSync, lstatSync, rmSync, unlinkSync } from "node:fs";
import { EXIT, StartError } from "../cli/start-error.ts";
import type { SocketAddress } from "../config/settings.ts";
import {
  AF_INET6,
  AF_UNIX,
  bindSocket,
  closeDescriptor,
  connectSocket,
  listenSocket,
  OsError,
  onlyIpv6,
  reuseAddress,
  setUmask,
  streamSocket,
} from "../os/libc.ts";
import { inetAddress, unixAddress } from "../os/sockaddr.ts";

/** A listening socket; `release` closes it here and removes its file. */
export interface ListeningSocket {
  readonly fd: number;
  readonly text: string;
  release(): void;
}

/** How unix sockets are made. */
export interface UnixSocketRules {
  /** A file that nobody answers on is replaced. */
  readonly fixStale: boolean;
  readonly mode: number;
  /** Their group, or null for the process's own. */
  readonly gid: number | null;
}

/** The runtime sets its own backlog when a child adopts the socket; until then this one counts. */
const BACKLOG = 511;
/** Nobody may connect before mode and group are what they should be. */
const SOCKET_UMASK = 0o777;
const LOOKUP_PATIENCE = 5000;

/**
 * Opens every milter socket, or none.
 * @throws StartError `SOCKET_UNUSABLE` (78) naming the address and the reason
 */
export async function openListeningSockets(
  addresses: readonly SocketAddress[],
  rules: UnixSocketRules,
): Promise<ListeningSocket[]> {
  const open: ListeningSocket[] = [];
  try {
    for (const address of addresses) {
      if (address.kind === "unix") open.push(openUnix(address.path, address.text, rules));
      else for (const host of await hostsOf(address)) open.push(openInet(host, address.port, address.text));
    }
  } catch (error) {
    for (const socket of open) socket.release();
    throw error;
  }
  return open;
}

function openUnix(path: string, text: string, rules: UnixSocketRules): ListeningSocket {
  removeStale(path, text, rules.fixStale);
  const fd = streamSocket(AF_UNIX, true);
  const mask = setUmask(SOCKET_UMASK);
  let made = false;
  try {
    bindSocket(fd, unixAddress(path));
    made = true;
    if (rules.gid !== null) chownSync(path, -1, rules.gid);
    chmodSync(path, rules.mode);
    listenSocket(fd, BACKLOG);
  } catch (error) {
    closeDescriptor(fd);
    if (made) rmSync(path, { force: true });
    throw unusable(text, error);
  } finally {
    setUmask(mask);
  }
  const { ino, dev } = lstatSync(path);
  return {
    fd,
    text,
    release: () => {
      closeDescriptor(fd);
      removeOwn(path, ino, dev);
    },
  };
}

/** A file of another program that has taken the name meanwhile stays. */
function removeOwn(path: string, ino: number, dev: number): void {
  try {
    const now = lstatSync(path);
    if (now.ino === ino && now.dev === dev) unlinkSync(path);
  } catch {
    // Gone already, or the directory is: there is nothing to remove.
  }
}

/** A socket file is stale when nobody answers on it; whatever is no socket is never removed. */
function removeStale(path: string, text: string, fixStale: boolean): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw unusable(text, "the file exists and is not a socket");
  if (isAnswered(path)) throw unusable(text, "another program answers on this socket");
  if (!fixStale) throw unusable(text, "the socket file exists, and FixStaleSocket is off");
  unlinkSync(path);
}

function isAnswered(path: string): boolean {
  const fd = streamSocket(AF_UNIX, true);
  try {
    connectSocket(fd, unixAddress(path));
    return true;
  } catch (error) {
    // EAGAIN: its backlog is full, so somebody listens.
    return !(error instanceof OsError && (error.code === "ECONNREFUSED" || error.code === "ENOENT"));
  } finally {
    closeDescriptor(fd);
  }
}

function openInet(host: string, port: number, text: string): ListeningSocket {
  const { family, bytes } = inetAddress(host, port);
  const fd = streamSocket(family, true);
  try {
    reuseAddress(fd);
    if (family === AF_INET6) onlyIpv6(fd);
    bindSocket(fd, bytes);
    listenSocket(fd, BACKLOG);
  } catch (error) {
    closeDescriptor(fd);
    throw unusable(text, error);
  }
  return { fd, text, release: () => closeDescriptor(fd) };
}

async function hostsOf(address: Extract<SocketAddress, { kind: "inet" }>): Promise<string[]> {
  if (address.host === null) return [address.family === 4 ? "0.0.0.0" : "::"];
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("the name server does not answer")), LOOKUP_PATIENCE);
  try {
    const search = lookup(address.host, { family: address.family, all: true });
    const found = await Promise.race([search, late.promise]);
    return [...new Set(found.map((entry) => entry.address))];
  } catch (error) {
    throw unusable(address.text, error);
  } finally {
    clearTimeout(timer);
  }
}

/** What can be done about the usual reasons. */
const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there",
  EACCES: "permission denied: the port or the directory is not for this user",
  ENOENT: "the directory does not exist",
  ENOTDIR: "a part of the path is not a directory",
  EADDRNOTAVAIL: "the address is not one of this host's",
  EAFNOSUPPORT: "this host has no such address family",
  EROFS: "the file system is read-only",
};

function unusable(text: string, reason: unknown): StartError {
  const code = reason instanceof OsError ? reason.code : "";
  const why = ADVICE[code] ?? (reason instanceof Error ? reason.message : String(reason));
  return new StartError("SOCKET_UNUSABLE", EXIT.CONFIG, `cannot listen on ${text}: ${why}`);
}
