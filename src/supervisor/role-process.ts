import type { ScannerWatchState } from "../clamd/outage.ts";
import { type Channel, openChannel } from "../ipc/channel.ts";
import type { FromEngine } from "../ipc/engine-messages.ts";
import { checkFromRole, type FromRole } from "../ipc/messages.ts";
import type { BlacklistFromChild } from "../ipc/policy-messages.ts";
import { ROLES, type RoleName } from "../ipc/role.ts";
import type { SlotReport } from "../ipc/slot-messages.ts";
import { descriptorSocketPair, sendDescriptors } from "../os/descriptor-passing.ts";
import { closeDescriptor, socketPair } from "../os/libc.ts";
import { startHeart } from "./heart.ts";
import { roleEnvironment } from "./role-environment.ts";

/** A process in a role, as the supervisor sees it. */
export interface RoleProcess {
  readonly pid: number;
  /** Whether it has answered a heartbeat of late: one that hangs does not, long before it is killed for it. */
  readonly answering: boolean;
  send(message: object): void;
  /**
   * Passes descriptors, which stay open here, and answers the number that they come under.
   * @throws OsError when the role does not take them
   */
  pass(descriptors: readonly number[]): number;
  kill(): void;
}

/** What becomes of it. */
export interface RoleEvents {
  /** It does what it is for. */
  onReady(role: RoleProcess): void;
  /** It is gone; told once, `how` in words. */
  onExit(role: RoleProcess, how: string): void;
  /** It broke the rules of the channel or hangs, and was killed for it. */
  onOffence(role: RoleProcess, what: string): void;
  /** The engine tells something; other roles must not. */
  onEngine?(role: RoleProcess, message: FromEngine): void;
  /** A child tells of its slots; other roles have none, and must not. */
  onSlots?(role: RoleProcess, report: SlotReport): void;
  /** A child has met a message that no scanner gets through with; other roles must not. */
  onEndless?(hash: string): void;
  /** A child has no link to the keeper; other roles have none, and must not. */
  onUnlinked?(role: RoleProcess): void;
  /** A child has many connexions, or few again; other roles have none, and must not. */
  onCrowded?(role: RoleProcess, crowded: boolean): void;
  /** The keeper tells of the servers; other roles must not. */
  onScanners?(state: ScannerWatchState): void;
  /** A child tells who sent infected mail, or asks for more of the blacklist; other roles must not. */
  onBlacklist?(role: RoleProcess, message: BlacklistFromChild): void;
  /** The keeper tells the addresses of our MX peers; other roles must not. */
  onPeers?(addresses: readonly string[]): void;
}

const SIGKILL = 9;

/**
 * Starts a process: the same executable in another role, with a clean environment, and with nothing open but its
 * channel, the way for descriptors, `inherited` and standard error.
 */
export async function startRole(
  name: RoleName,
  inherited: readonly number[],
  events: RoleEvents,
): Promise<RoleProcess> {
  const [ours, theirs] = socketPair();
  const [passing, theirPassing] = pairBesides([ours, theirs]);
  const started = spawn(name, [theirs, theirPassing, ...inherited], [ours, theirs, passing, theirPassing]);
  closeDescriptor(theirs);
  closeDescriptor(theirPassing);
  let channel: Channel | null = null;
  let lastNumber = 0;
  let lastWords = "";
  const role: RoleProcess = {
    pid: started.pid,
    get answering() {
      return heart.beating;
    },
    send: (message) => channel?.send(message),
    pass: (descriptors) => {
      sendDescriptors(passing, ++lastNumber, descriptors);
      return lastNumber;
    },
    kill: () => started.kill(SIGKILL),
  };
  const offend = (what: string): void => {
    events.onOffence(role, what);
    role.kill();
  };
  const heart = startHeart(started.pid, () => role.send({ type: "ping" }), offend);
  try {
    channel = await openChannel(ours, {
      onMessage: (message) => {
        const known = checkFromRole(message);
        if (known === null || !isExpected(known, events)) offend("sent a message of no known kind");
        else if (known.type === "pong") heart.beat();
        else if (known.type === "slots") events.onSlots?.(role, known);
        else if (known.type === "endless") events.onEndless?.(known.hash);
        else if (known.type === "unlinked") events.onUnlinked?.(role);
        else if (known.type === "crowded") events.onCrowded?.(role, known.crowded);
        else if (known.type === "scanners") events.onScanners?.(known.state);
        else if (known.type === "peers") events.onPeers?.(known.addresses);
        else if (known.type === "offender" || known.type === "blacklistNext")
          events.onBlacklist?.(role, known);
        else if (known.type === "failed") lastWords = `: ${known.reason}`;
        else if (known.type === "ready") {
          heart.start();
          events.onReady(role);
        } else events.onEngine?.(role, known);
      },
      onEnd: (error) => {
        if (error !== null) offend(error.message);
      },
    });
  } catch (error) {
    heart.stop();
    role.kill();
    closeDescriptor(passing);
    throw error;
  }
  // Told a turn later at the earliest: whoever started it knows it by then.
  started.exited.then(() =>
    setImmediate(() => {
      heart.stop();
      channel?.close();
      closeDescriptor(passing);
      events.onExit(role, howItEnded(started.exitCode, started.signalCode) + lastWords);
    }),
  );
  return role;
}

/** Whether a role of this kind may say that. */
function isExpected({ type }: FromRole, events: RoleEvents): boolean {
  if (type === "slots") return events.onSlots !== undefined;
  if (type === "scanners") return events.onScanners !== undefined;
  if (type === "peers") return events.onPeers !== undefined;
  if (type === "offender" || type === "blacklistNext") return events.onBlacklist !== undefined;
  if (type === "endless") return events.onEndless !== undefined;
  if (type === "unlinked") return events.onUnlinked !== undefined;
  if (type === "crowded") return events.onCrowded !== undefined;
  return type === "ready" || type === "pong" || type === "failed" || events.onEngine !== undefined;
}

/** @throws OsError when there is no further pair; `others` are closed then */
function pairBesides(others: readonly number[]): [number, number] {
  try {
    return descriptorSocketPair();
  } catch (error) {
    for (const descriptor of others) closeDescriptor(descriptor);
    throw error;
  }
}

function spawn(name: RoleName, given: readonly number[], mine: readonly number[]) {
  try {
    return Bun.spawn({
      // Not by its path: that leads elsewhere, or nowhere, after the binary was replaced.
      cmd: ["/proc/self/exe", ROLES[name]],
      argv0: `clamav-milter: ${name}`,
      env: roleEnvironment(name, process.env),
      // The first given descriptor becomes CHANNEL_FD, which follows standard error.
      stdio: ["ignore", "ignore", "inherit", ...given],
    });
  } catch (error) {
    for (const descriptor of mine) closeDescriptor(descriptor);
    throw error;
  }
}

function howItEnded(code: number | null, signal: unknown): string {
  return signal === null ? `ended with status ${code ?? "unknown"}` : `was killed by ${String(signal)}`;
}
