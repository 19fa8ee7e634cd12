import { closeSync, constants, fchmodSync, fstatSync, openSync, writeSync } from "node:fs";
import { AF_UNIX, closeDescriptor, connectSocket, OsError, streamSocket } from "./libc.ts";
import { datagramSocket, isWritable, lockHolder, sendNow } from "./log-calls.ts";
import { unixAddress } from "./sockaddr.ts";

/** Takes bytes at once or not at all: no call of it waits for a reader. */
export interface Output {
  /**
   * @returns how many bytes were taken
   * @throws Error with a `code` such as `EAGAIN` or `EPIPE`
   */
  write(bytes: Uint8Array): number;
  close(): void;
}

/** A file that is only appended to. */
export interface AppendedFile extends Output {
  /** Bytes in the file now, whoever wrote them. */
  size(): number;
  /** The process that has a lock on it, 0 when it is not known which, null when there is none. */
  lockHolder(): number | null;
}

/** What syslogd is given, message by message. */
export interface SyslogSocket {
  /** @throws OsError `EAGAIN` when syslogd is behind, others when it is gone */
  send(message: Uint8Array): void;
  close(): void;
}

const { O_APPEND, O_CREAT, O_EXCL, O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants;
/** Non-blocking, so that a pipe without a reader is an error and not an end of the program. */
const APPEND = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY;
/** CB 2.2, `LogFile`. */
const FILE_MODE = 0o640;
/** What a pipe takes in one piece (PIPE_BUF of pipe(7)). */
const PIECE = 4096;

/**
 * Opens a file for whole lines at its end; makes it with mode 0640, whatever the umask, if there is none.
 * @throws Error with the `code` of open(2)
 */
export function openAppended(path: string): AppendedFile {
  const fd = openOrMake(path);
  return {
    write: (bytes) => writeSync(fd, bytes),
    size: () => fstatSync(fd).size,
    lockHolder: () => lockHolder(fd),
    close: () => closeSync(fd),
  };
}

function openOrMake(path: string): number {
  try {
    const fd = openSync(path, APPEND | O_CREAT | O_EXCL, FILE_MODE);
    fchmodSync(fd, FILE_MODE);
    return fd;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    return openSync(path, APPEND);
  }
}

/**
 * Standard error, or another inherited descriptor, as an output that never waits. The descriptor itself stays as it
 * is: its file description is shared with whoever started the program, and must not become non-blocking for him.
 */
export function outputOn(fd: number): Output {
  const kind = kindOf(fd);
  if (kind === "socket") return { write: (bytes) => sendNow(fd, bytes), close: () => {} };
  if (kind === "plain") return { write: (bytes) => writeSync(fd, bytes), close: () => {} };
  try {
    const own = openSync(`/proc/self/fd/${fd}`, APPEND);
    return { write: (bytes) => writeSync(own, bytes), close: () => closeSync(own) };
  } catch {
    // No /proc in a jail, or the pipe belongs to another user.
    return { write: (bytes) => writeIfFree(fd, bytes), close: () => {} };
  }
}

/** A pipe or terminal can keep a writer waiting; a file or a device that swallows all cannot. */
function kindOf(fd: number): "socket" | "slow" | "plain" {
  try {
    const found = fstatSync(fd);
    if (found.isSocket()) return "socket";
    return found.isFIFO() || found.isCharacterDevice() ? "slow" : "plain";
  } catch {
    return "plain";
  }
}

function writeIfFree(fd: number, bytes: Uint8Array): number {
  return isWritable(fd) ? writeSync(fd, bytes.subarray(0, PIECE)) : 0;
}

/**
 * Connects to syslogd's unix socket: by datagrams, or by a stream when it is one.
 * @throws OsError `ENOENT` or `ECONNREFUSED` when nobody listens
 */
export function connectSyslog(path: string): SyslogSocket {
  try {
    const fd = connected(datagramSocket(), path);
    return { send: (message) => void sendNow(fd, message), close: () => closeDescriptor(fd) };
  } catch (error) {
    if (!(error instanceof OsError && error.code === "EPROTOTYPE")) throw error;
    return streamOn(connected(streamSocket(AF_UNIX, true), path));
  }
}

function connected(fd: number, path: string): number {
  try {
    connectSocket(fd, unixAddress(path));
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/** On a stream each message ends with a NUL; one that went out in part is finished before the next. */
function streamOn(fd: number): SyslogSocket {
  let rest: Uint8Array = new Uint8Array(0);
  return {
    send(message) {
      while (rest.length > 0) rest = rest.subarray(sendNow(fd, rest));
      const framed = Buffer.alloc(message.length + 1);
      framed.set(message);
      rest = framed.subarray(sendNow(fd, framed));
    },
    close: () => closeDescriptor(fd),
  };
}
