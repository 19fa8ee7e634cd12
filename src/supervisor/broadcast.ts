import { EXIT, StartError } from "../cli/start-error.ts";
import type { Settings } from "../config/settings.ts";
import { broadcastSocket, sendBroadcast } from "../os/broadcast-socket.ts";
import { closeDescriptor } from "../os/libc.ts";

/** The way to everybody on the network (man page: --broadcast; CB 8). */
export interface Broadcast {
  /** The socket, or null without --broadcast. */
  readonly fd: number | null;
  /** Sends a text; what does not go through is lost. */
  tell(text: string): void;
}

/**
 * Opens the socket, while only root may choose the interface.
 * @throws StartError 69, or 78 for an interface that there is not
 */
export function openBroadcast({ broadcast }: Settings, undo: (() => void)[]): Broadcast {
  if (broadcast === null) return { fd: null, tell: () => {} };
  try {
    const fd = broadcastSocket(broadcast.interface);
    undo.push(() => closeDescriptor(fd));
    return {
      fd,
      tell: (text) => {
        try {
          sendBroadcast(fd, broadcast.port, text);
        } catch {
          // The keeper tells of it when something was found.
        }
      },
    };
  } catch (error) {
    const exit = broadcast.interface === null ? EXIT.UNAVAILABLE : EXIT.CONFIG;
    throw new StartError("BROADCAST", exit, `--broadcast: ${error instanceof Error ? error.message : error}`);
  }
}
