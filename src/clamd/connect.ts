import type { ServerAddress } from "./address.ts";
import { ClamdError } from "./clamd-error.ts";
import { type ClamdPort, ClamdSession } from "./session.ts";

type Socket = Bun.Socket<undefined>;

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
  const { promise, resolve, reject } = Promise.withResolvers<ClamdSession>();
  let session: ClamdSession | null = null;
  let given = false;
  const refuse = (why: string): void => {
    reject(new ClamdError("CLAMD_CONNECT", `${address.name}: ${why}`));
  };
  const timer = setTimeout(() => {
    given = true;
    refuse(`no connexion within ${deadline} ms`);
  }, deadline);
  const handler: Bun.SocketHandler<undefined> = {
    open(socket) {
      if (given) {
        socket.terminate();
        return;
      }
      session = new ClamdSession(portOf(socket), onEnd);
      resolve(session);
    },
    data: (_socket, bytes) => session?.receive(bytes),
    drain: () => session?.writable(),
    close: () => session?.fail(new ClamdError("CLAMD_CLOSED", `${address.name}: the connexion was closed`)),
    error: (_socket, error) =>
      session?.fail(new ClamdError("CLAMD_CLOSED", `${address.name}: ${error.message}`)),
    connectError: (_socket, error) => refuse(reasonOf(error)),
  };
  const opening =
    address.kind === "unix"
      ? Bun.connect({ unix: address.path, socket: handler })
      : Bun.connect({ hostname: address.host, port: address.port, socket: handler });
  opening.catch((error: unknown) => refuse(reasonOf(error)));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  return CONNECT_REASONS.get(code) ?? `${error.message}${code === "" ? "" : ` (${code})`}`;
}

function portOf(socket: Socket): ClamdPort {
  return {
    write: (bytes) => socket.write(bytes),
    // Not end(): what clamd still sends must not keep the descriptor.
    close: () => socket.terminate(),
  };
}
