import type { ServerAddress } from "./address.ts";
import { ClamdError } from "./clamd-error.ts";
import { type ClamdPort, ClamdSession } from "./session.ts";

type Socket = Bun.Socket<undefined>;

/** Sends bytes on a unix socket, and a descriptor with the first of them. @throws Error when it does not take them */
export type SendWithDescriptor = (socket: number, bytes: Uint8Array, descriptor: number) => void;

/** What an administrator can do something about, in words. */
const CONNECT_REASONS: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "connection refused: is clamd running?"],
  ["ENOENT", "no such socket: is clamd running?"],
  ["EACCES", "permission denied on the socket or its directory"],
  ["ENOTFOUND", "unknown host name"],
]);

/**
 * Opens a session with a clamd.
 *
 * Over the runtime's own sockets, not node:net: of a clamd that refuses a long stream, node:net loses the reason
 * that waits in the socket when the write fails.
 * @param deadline milliseconds to wait for the connexion
 * @param onEnd called once when the session is over, for whatever reason
 * @throws ClamdError `CLAMD_CONNECT`
 */
export async function connectClamd(
  address: ServerAddress,
  deadline: number,
  onEnd: (error: ClamdError) => void,
): Promise<ClamdSession> {
  const late = Promise.withResolvers<never>();
  const refusal = (why: string): ClamdError => new ClamdError("CLAMD_CONNECT", `${address.name}: ${why}`);
  const timer = setTimeout(() => late.reject(refusal(`no connexion within ${deadline} ms`)), deadline);
  const { handler, session } = sessionHandler(address.name, onEnd, refusePassing);
  const opening =
    address.kind === "unix"
      ? Bun.connect({ unix: address.path, socket: handler })
      : Bun.connect({ hostname: address.host, port: address.port, socket: handler });
  try {
    await Promise.race([opening, late.promise]);
    return session();
  } catch (error) {
    opening.then((socket) => socket.terminate()).catch(() => {});
    throw error instanceof ClamdError ? error : refusal(connectReason(error));
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Opens a session on a socket that is connected already; it is the session's from then on.
 * @param send how a descriptor is passed, for a unix socket
 * @throws ClamdError `CLAMD_CONNECT`
 */
export async function adoptClamd(
  fd: number,
  name: string,
  onEnd: (error: ClamdError) => void,
  send: SendWithDescriptor | null = null,
): Promise<ClamdSession> {
  const pass: ClamdPort["pass"] =
    send === null ? refusePassing : (bytes, descriptor) => send(fd, bytes, descriptor);
  const { handler, session } = sessionHandler(name, onEnd, pass);
  try {
    await Bun.connect({ fd, socket: handler });
    return session();
  } catch (error) {
    throw new ClamdError("CLAMD_CONNECT", `${name}: ${connectReason(error)}`);
  }
}

interface SessionHandler {
  readonly handler: Bun.SocketHandler<undefined>;
  /** The session, once the socket is open. */
  session(): ClamdSession;
}

function refusePassing(): never {
  throw new Error("descriptors cannot be passed on this connexion");
}

function sessionHandler(
  name: string,
  onEnd: (error: ClamdError) => void,
  pass: ClamdPort["pass"],
): SessionHandler {
  let session: ClamdSession | null = null;
  const lost = (why: string): void => session?.fail(new ClamdError("CLAMD_CLOSED", `${name}: ${why}`));
  return {
    handler: {
      open(socket) {
        session = new ClamdSession(portOf(socket, pass), onEnd);
      },
      data: (_socket, bytes) => session?.receive(bytes),
      drain: () => session?.writable(),
      close: () => lost("the connexion was closed"),
      error: (_socket, error) => lost(error.message),
      // The rejection of Bun.connect says the same.
      connectError: () => {},
    },
    session: () => {
      if (session === null)
        throw new ClamdError("CLAMD_CONNECT", `${name}: the connexion was closed at once`);
      return session;
    },
  };
}

/** What went wrong with a connexion, in words for an administrator. */
export function connectReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  return CONNECT_REASONS.get(code) ?? `${error.message}${code === "" ? "" : ` (${code})`}`;
}

function portOf(socket: Socket, pass: ClamdPort["pass"]): ClamdPort {
  return {
    write: (bytes) => socket.write(bytes),
    pass,
    // Not end(): what clamd still sends must not keep the descriptor.
    close: () => socket.terminate(),
  };
}
