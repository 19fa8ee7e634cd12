import { lookup, lookupService } from "node:dns/promises";
import type { Settings } from "../config/settings.ts";
import type { Channel } from "../ipc/channel.ts";
import { checkToKeeper, type ToKeeper } from "../ipc/messages.ts";
import { PASSING_FD } from "../ipc/role.ts";
import { joinSupervisor, type RoleEnd } from "../ipc/role-end.ts";
import { type OpenedLog, openLog } from "../log/open-log.ts";
import { systemLogEdge } from "../log/system-edge.ts";
import { receiveDescriptors } from "../os/descriptor-passing.ts";
import { closeDescriptor, dieWithParent, nameProcess } from "../os/libc.ts";
import { dropAllRights } from "../os/privileges.ts";
import { AccessWatch } from "./access-tables.ts";
import { openDesk } from "./child-desk.ts";
import { PeerNames } from "./peer-names.ts";
import { type PolicyDesk, startPolicyDesk } from "./policy-desk.ts";
import { SYSTEM_ACCESS } from "./system-access.ts";

const SIGKILL = 9;
/** Milliseconds for what children that have ended said last. */
const LAST_WORDS = 1000;

/** The role that is the children's hands outside the jail: connexions, files, the log. */
export async function runKeeper(): Promise<void> {
  dieWithParent(SIGKILL);
  nameProcess("clamav-milter");
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const)
    process.on(signal, () => {});
  const desks = new Set<Channel>();
  let keeper: Keeper | null = null;
  const serve = async (message: ToKeeper): Promise<void> => {
    if (message.type === "start") {
      // As in a child; but a keeper stays outside of the jail.
      if (process.getuid?.() !== 0) dropAllRights();
      const { settings } = message;
      const opened = openLog(settings.log, systemLogEdge(settings.foreground));
      const policy = startPolicyDesk(settings, opened.log, {
        toChildren: (portion) => {
          for (const desk of desks) desk.send(portion);
        },
        toSupervisor: (addresses) => end.send({ type: "peers", addresses }),
      });
      keeper = { settings, opened, names: peerNames(), access: null, policy };
      if (settings.sockets.some((socket) => socket.kind === "inet")) watchAccess(keeper, desks);
      end.ready();
    } else if (keeper === null) return;
    else if (message.type === "settings") {
      keeper.settings = message.settings;
      keeper.opened.reopen(message.settings.log);
      keeper.access?.reload();
      keeper.policy.reload();
    } else if (message.type === "child") await addDesk(message.number, keeper, desks);
    else if (message.type === "reopenLogs") keeper.opened.reopen();
    else if (message.type === "end") {
      // The children are gone; what they said last is still to be read.
      const end = performance.now() + LAST_WORDS;
      while (desks.size > 0 && performance.now() < end) await Bun.sleep(1);
      keeper.opened.close();
      process.exit(0);
    }
  };
  const end: RoleEnd = await joinSupervisor((message) => {
    const known = checkToKeeper(message);
    if (known !== null) void serve(known);
  });
}

/** A keeper at work. */
interface Keeper {
  settings: Settings;
  readonly opened: OpenedLog;
  readonly names: PeerNames;
  /** Null while nobody can come in by TCP, as far as we know. */
  access: AccessWatch | null;
  readonly policy: PolicyDesk;
}

/** Hands hosts.allow and hosts.deny to every child, now and when they change. */
function watchAccess(keeper: Keeper, desks: ReadonlySet<Channel>): void {
  keeper.access ??= new AccessWatch(SYSTEM_ACCESS, keeper.opened.log, (access) => {
    for (const desk of desks) desk.send({ type: "access", access });
  });
}

function peerNames(): PeerNames {
  return new PeerNames({
    // The port is of no interest, but must be there.
    reverse: async (address) => (await lookupService(address, 0)).hostname,
    forward: async (name) => (await lookup(name, { all: true })).map((entry) => entry.address),
    now: () => performance.now(),
  });
}

async function addDesk(number: number, keeper: Keeper, desks: Set<Channel>): Promise<void> {
  const { descriptors, number: got } = receiveDescriptors(PASSING_FD);
  const [channelFd, passingFd] = descriptors;
  if (got !== number || channelFd === undefined || passingFd === undefined) {
    for (const descriptor of descriptors) closeDescriptor(descriptor);
    keeper.opened.log("error", "a child's link did not arrive");
    return;
  }
  const desk = await openDesk(
    channelFd,
    passingFd,
    {
      settings: () => keeper.settings,
      log: keeper.opened.log,
      nameOf: (address) => keeper.names.nameOf(address),
      leadsToNull: (address) => keeper.policy.leadsToNull(address),
      // Sockets of the service manager's are not in the settings.
      onAccessWanted: () => watchAccess(keeper, desks),
      onTrouble: () => {},
    },
    () => desks.delete(desk),
  );
  desks.add(desk);
  const access = keeper.access?.state ?? null;
  if (access !== null) desk.send({ type: "access", access });
  for (const portion of keeper.policy.whitelist()) desk.send(portion);
}
