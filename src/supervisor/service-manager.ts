import { AF_UNIX, closeDescriptor, connectSocket } from "../os/libc.ts";
import { datagramSocket, sendNow } from "../os/log-calls.ts";

/** What the program tells a service manager, by sd_notify(3)'s protocol. Without one nothing is said. */
export interface ServiceManager {
  ready(): void;
  /** The start takes some time yet, and is not to be given up for so many milliseconds. */
  extendStart(milliseconds: number): void;
  /** @param now microseconds of CLOCK_MONOTONIC */
  reloading(now: bigint): void;
  stopping(): void;
  alive(): void;
  /** Milliseconds after which the manager misses `alive`; null when it does not watch. */
  readonly watchdog: number | null;
  /** Listening sockets that it has opened for us. */
  readonly sockets: readonly number[];
}

/** The first descriptor of sd_listen_fds(3). */
const FIRST_PASSED = 3;
const MOST_PASSED = 64;

/** Reads what a service manager has put into the environment. */
export function serviceManager(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): ServiceManager {
  const { NOTIFY_SOCKET: path, WATCHDOG_USEC: watched, WATCHDOG_PID: watchedPid } = env;
  const tell = (text: string): void => {
    if (path !== undefined) notify(path, text);
  };
  const isWatched = watched !== undefined && (watchedPid === undefined || Number(watchedPid) === pid);
  const period = Number(watched) / 1000;
  return {
    ready: () => tell("READY=1"),
    extendStart: (milliseconds) => tell(`EXTEND_TIMEOUT_USEC=${Math.round(milliseconds * 1000)}`),
    reloading: (now) => tell(`RELOADING=1\nMONOTONIC_USEC=${now}`),
    stopping: () => tell("STOPPING=1"),
    alive: () => tell("WATCHDOG=1"),
    watchdog: isWatched && period > 0 ? period : null,
    sockets: passedSockets(env, pid),
  };
}

function passedSockets(env: Readonly<Record<string, string | undefined>>, pid: number): number[] {
  const count = Number(env.LISTEN_FDS);
  if (Number(env.LISTEN_PID) !== pid || !Number.isInteger(count) || count < 1 || count > MOST_PASSED)
    return [];
  return Array.from({ length: count }, (_, at) => FIRST_PASSED + at);
}

/** One datagram; a manager that does not take it is no reason to stop. */
function notify(path: string, text: string): void {
  let fd: number | null = null;
  try {
    fd = datagramSocket();
    connectSocket(fd, notifyAddress(path));
    sendNow(fd, Buffer.from(text));
  } catch {
    // The manager is gone or busy; it will see by itself how we are.
  } finally {
    if (fd !== null) closeDescriptor(fd);
  }
}

/** struct sockaddr_un; a name that begins with `@` is in the abstract namespace, where a NUL stands for it. */
function notifyAddress(path: string): Uint8Array {
  const name = Buffer.from(path);
  const abstract = path.startsWith("@");
  const address = Buffer.alloc(2 + name.length + (abstract ? 0 : 1));
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  if (abstract) address[2] = 0;
  return address;
}
