import { CHANNEL_FD, CHILD_ROLE } from "../child/role.ts";
import type { Settings } from "../config/settings.ts";
import { type Channel, openChannel } from "../ipc/channel.ts";
import { type ChildOptions, checkFromChild, type ToChild } from "../ipc/messages.ts";
import { closeDescriptor, socketPair } from "../os/libc.ts";

/** A child as the supervisor sees it. */
export interface ChildProcess {
  readonly pid: number;
  send(message: ToChild): void;
  kill(): void;
}

/** What becomes of a child. */
export interface ChildEvents {
  /** It accepts mail. */
  onReady(child: ChildProcess): void;
  /** It is gone; told once, `how` in words. */
  onExit(child: ChildProcess, how: string): void;
  /** It broke the rules of the channel, and was killed for it. */
  onOffence(child: ChildProcess, what: string): void;
}

const SIGKILL = 9;

/**
 * Starts a child: the same executable in another role, with a clean environment, and with nothing open but its
 * channel, the listening sockets and standard error.
 */
export async function startChild(
  settings: Settings,
  options: Omit<ChildOptions, "listeners">,
  listeners: readonly number[],
  events: ChildEvents,
): Promise<ChildProcess> {
  const [ours, theirs] = socketPair();
  const process = spawnRole(ours, theirs, listeners);
  let channel: Channel | null = null;
  const child: ChildProcess = {
    pid: process.pid,
    send: (message) => channel?.send(message),
    kill: () => process.kill(SIGKILL),
  };
  process.exited.then(() => {
    channel?.close();
    events.onExit(child, howItEnded(process.exitCode, String(process.signalCode ?? "")));
  });
  const offend = (what: string): void => {
    events.onOffence(child, what);
    child.kill();
  };
  channel = await openChannel(ours, {
    onMessage: (message) => {
      if (checkFromChild(message) === null) offend("sent a message of no known kind");
      else events.onReady(child);
    },
    onEnd: (error) => {
      if (error !== null) offend(error.message);
    },
  });
  const inherited = listeners.map((_, at) => CHANNEL_FD + 1 + at);
  child.send({ type: "start", settings, options: { ...options, listeners: inherited } });
  return child;
}

/** Starts the process; the channel's end `theirs` is only its own then. One that cannot start leaves none open. */
function spawnRole(ours: number, theirs: number, listeners: readonly number[]) {
  try {
    return Bun.spawn({
      // Not by its path: that leads elsewhere, or nowhere, after the binary was replaced.
      cmd: ["/proc/self/exe", CHILD_ROLE],
      argv0: "clamav-milter: child",
      env: childEnvironment(),
      stdio: ["ignore", "ignore", "inherit", theirs, ...listeners],
    });
  } catch (error) {
    closeDescriptor(ours);
    throw error;
  } finally {
    closeDescriptor(theirs);
  }
}

/** Nothing of the caller's environment but its time zone: a variable must not change what a role does. */
function childEnvironment(): Record<string, string> {
  const zone = process.env.TZ;
  return {
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    LANG: "C.UTF-8",
    ...(zone === undefined ? {} : { TZ: zone }),
  };
}

function howItEnded(code: number | null, signal: string): string {
  return signal === "" ? `ended with status ${code ?? "unknown"}` : `was killed by ${signal}`;
}
