import { lookup, lookupService } from "node:dns/promises";
import type { OutageEvent, ScannerWatchState } from "../clamd/outage.ts";
import type { Settings } from "../config/settings.ts";
import type { Channel } from "../ipc/channel.ts";
import { checkToKeeper, type ToKeeper } from "../ipc/messages.ts";
import { FIRST_LISTENER_FD, PASSING_FD } from "../ipc/role.ts";
import { joinSupervisor, type RoleEnd } from "../ipc/role-end.ts";
import type { Log } from "../log/log.ts";
import { type OpenedLog, openLog } from "../log/open-log.ts";
import { systemLogEdge } from "../log/system-edge.ts";
import { receiveDescriptors } from "../os/descriptor-passing.ts";
import { closeDescriptor, dieWithParent, nameProcess } from "../os/libc.ts";
import { dropAllRights } from "../os/privileges.ts";
import { AccessWatch } from "./access-tables.ts";
import { openDesk } from "./child-desk.ts";
import { connectDescriptor } from "./connector.ts";
import { KnownServers } from "./known-servers.ts";
import { NoticeService } from "./notice-service.ts";
import { PeerNames } from "./peer-names.ts";
import { type PolicyDesk, startPolicyDesk } from "./policy-desk.ts";
import { outageNews } from "./scanner-news.ts";
import { ScannerWatch } from "./scanner-watch.ts";
import { ServerNames } from "./server-names.ts";
import { SYSTEM_ACCESS } from "./system-access.ts";
import { systemWatchEdge } from "./watch-edge.ts";

const SIGKILL = 9;
/** Milliseconds for what children that have ended said last. */
const LAST_WORDS = 1000;
/** Milliseconds for new settings that children have already. */
const SETTINGS_PATIENCE = 500;

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
      const { settings, scanners } = message;
      const opened = openLog(settings.log, systemLogEdge(settings.foreground));
      const servers = serverNames();
      const known = new KnownServers(settings.servers, () => performance.now());
      const notices = openNotices(message, opened.log, desks);
      const policy = startPolicyDesk(settings, opened.log, {
        toChildren: (portion) => {
          for (const desk of desks) desk.send(portion);
        },
        toSupervisor: (addresses) => end.send({ type: "peers", addresses }),
      });
      const names = peerNames();
      keeper = { settings, opened, names, servers, known, notices, access: null, scanners: null, policy };
      keeper.scanners = watchScanners(keeper, scanners, end);
      if (settings.sockets.some((socket) => socket.kind === "inet")) watchAccess(keeper, desks);
      end.ready();
    } else if (keeper === null) return;
    else if (message.type === "settings") {
      keeper.settings = message.settings;
      keeper.known.learn(message.settings.servers);
      keeper.opened.reopen(message.settings.log);
      keeper.access?.reload();
      keeper.policy.reload();
      keeper.scanners?.renew(message.settings);
      keeper.notices.renew(message.settings);
    } else if (message.type === "child") await addDesk(message.number, keeper, desks);
    else if (message.type === "reopenLogs") keeper.opened.reopen();
    else if (message.type === "end") {
      // The children are gone; what they said last is still to be read.
      const end = performance.now() + LAST_WORDS;
      while (desks.size > 0 && performance.now() < end) await Bun.sleep(1);
      keeper.scanners?.stop();
      await keeper.notices.stop();
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
  readonly servers: ServerNames;
  readonly known: KnownServers;
  readonly notices: NoticeService;
  /** Null while nobody can come in by TCP, as far as we know. */
  access: AccessWatch | null;
  readonly policy: PolicyDesk;
  scanners: ScannerWatch | null;
}

/** Watches the servers, from where the keeper before this one has left off. */
function watchScanners(keeper: Keeper, state: ScannerWatchState, end: RoleEnd): ScannerWatch {
  return new ScannerWatch(keeper.settings, state, systemWatchEdge(keeper.servers), {
    log: keeper.opened.log,
    report: (changed) => end.send({ type: "scanners", state: changed }),
    onOutage: (event) => onOutage(event, keeper),
  });
}

/** A child may have heard of new settings before: the server of that name is waited for a little. */
async function connectTo(name: string, deadline: number, { known, servers }: Keeper): Promise<number> {
  const end = performance.now() + SETTINGS_PATIENCE;
  for (;;) {
    const server = known.find(name);
    if (server !== null) return connectDescriptor(server, deadline, servers);
    if (performance.now() > end) throw new Error("there is no such server");
    await Bun.sleep(SETTINGS_PATIENCE / 10);
  }
}

/** No scanner is left, or the first is back: the place for all that is done about it, once each. */
function onOutage(event: OutageEvent, { settings, opened, notices }: Keeper): void {
  const { level, text } = outageNews(event, settings.acceptOnError);
  opened.log(level, text);
  notices.onOutage(event);
}

/** Mail of ours, quarantine, broadcasts. The socket for these was opened by the supervisor, as root if it was that. */
function openNotices(
  { settings, broadcast, scanners }: Extract<ToKeeper, { type: "start" }>,
  log: Log,
  desks: ReadonlySet<Channel>,
): NoticeService {
  const socket = broadcast ? FIRST_LISTENER_FD : null;
  return new NoticeService(settings, socket, scanners.outageSince !== null, {
    log,
    onTexts: (texts) => {
      for (const desk of desks) desk.send({ type: "texts", ...texts });
    },
  });
}

function serverNames(): ServerNames {
  return new ServerNames({
    addresses: async (name) => (await lookup(name, { all: true })).map((entry) => entry.address),
    now: () => performance.now(),
  });
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
  const desk: Channel = await openDesk(
    channelFd,
    passingFd,
    {
      settings: () => keeper.settings,
      log: keeper.opened.log,
      nameOf: (address) => keeper.names.nameOf(address),
      leadsToNull: (address) => keeper.policy.leadsToNull(address),
      connect: (name, deadline) => connectTo(name, deadline, keeper),
      // Sockets of the service manager's are not in the settings.
      onAccessWanted: () => watchAccess(keeper, desks),
      notice: (request, message) => keeper.notices.answer(request, message),
      onTextsWanted: () => desk.send({ type: "texts", ...keeper.notices.texts }),
      onTrouble: (server) => keeper.scanners?.trouble(server),
    },
    () => desks.delete(desk),
  );
  desks.add(desk);
  const access = keeper.access?.state ?? null;
  if (access !== null) desk.send({ type: "access", access });
  for (const portion of keeper.policy.whitelist()) desk.send(portion);
}
