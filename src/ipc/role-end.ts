import { type Channel, openChannel } from "./channel.ts";
import type { FromRole } from "./messages.ts";
import { CHANNEL_FD } from "./role.ts";

/** A role's end of its channel to the supervisor. */
export interface RoleEnd {
  /** The role does what it is for now. */
  ready(): void;
  send(message: FromRole): void;
}

const SOFTWARE = 70;

/** Tells the supervisor why, and ends: the role is started anew. */
function giveUp(channel: Channel, error: unknown): void {
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  channel.send({ type: "failed", reason });
  process.exit(SOFTWARE);
}

/**
 * Joins the supervisor. Heartbeats are answered here, so that an answer shows that the role's own events are
 * served. The process ends when the supervisor does.
 * @param onMessage every message but heartbeats
 * @param pulse has the answer to a heartbeat sent, when more than this thread's own events are to be served
 */
export async function joinSupervisor(
  onMessage: (message: unknown) => void,
  pulse: (answer: () => void) => void = (answer) => answer(),
): Promise<RoleEnd> {
  const channel: Channel = await openChannel(CHANNEL_FD, {
    onMessage(message) {
      if (typeof message === "object" && message !== null && "type" in message && message.type === "ping") {
        pulse(() => channel.send({ type: "pong" }));
        return;
      }
      try {
        onMessage(message);
      } catch (error) {
        giveUp(channel, error);
      }
    },
    onEnd: () => process.exit(0),
  });
  process.on("uncaughtException", (error) => giveUp(channel, error));
  process.on("unhandledRejection", (error) => giveUp(channel, error));
  return { ready: () => channel.send({ type: "ready" }), send: (message) => channel.send(message) };
}
