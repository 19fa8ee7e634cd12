import { availableParallelism, hostname } from "node:os";
import { EXIT, StartError } from "../cli/start-error.ts";
import type { Settings, SocketAddress } from "../config/settings.ts";
import type { Log } from "../log/log.ts";
import { openLog } from "../log/open-log.ts";
import { systemLogEdge } from "../log/system-edge.ts";
import { collectGarbage, IdleCollector } from "../os/idle-collector.ts";
import { monotonicMicroseconds, nameProcess, raiseFileLimit, setUmask } from "../os/libc.ts";
import { confineChrootRight } from "../os/privileges.ts";
import { VERSION } from "../version.ts";
import { openBroadcast } from "./broadcast.ts";
import { Crew } from "./crew.ts";
import { enginesFor, startEngines } from "./engine-start.ts";
import type { Engines } from "./engines.ts";
import { becomeConfiguredUser, groupOf } from "./identity.ts";
import { type ListeningSocket, openListeningSockets } from "./listening.ts";
import { prepareMailPlaces } from "./mail-places.ts";
import { takePidFile } from "./pid-file.ts";
import { requirePolicy } from "./policy-check.ts";
import { requireScanners } from "./scanner-check.ts";
import { type ServiceManager, serviceManager } from "./service-manager.ts";
import { type Signals, watchSignals } from "./signals.ts";

/** Two at least, so that the death of one does not leave mail waiting; more than cores gain nothing. */
const FEWEST_CHILDREN = 2;
const MOST_CHILDREN = 16;
/** Descriptors that a child needs besides those of its connexions. */
const RESERVED_DESCRIPTORS = 128;
const MOST_CONNEXIONS = 50_000;
/** Bytes of messages in memory, of all children together; and of each, however many there are. */
const MESSAGE_MEMORY = 128 * 1024 * 1024;
const LEAST_MEMORY = 32 * 1024 * 1024;
/** Nobody but the owner writes, others do not read. */
const UMASK = 0o027;
const PRIVILEGED_PORTS = 1024;
const HEARTBEAT = 10_000;
/** While clamd is waited for, the service manager is asked so often for so much more time. Milliseconds. */
const EXTEND_EVERY = 5000;
const EXTENSION = 30_000;

/** What a supervisor is to do. */
export interface SupervisorOrder {
  readonly settings: Settings;
  /** Reads the settings anew, for SIGHUP. @throws StartError */
  reread(): Settings;
  /** Told once mail is accepted. */
  onAccepting(): void;
}

/** What has to be undone in the end, last first. */
type Undo = (() => void | Promise<void>)[];

/**
 * Runs the program until it is told to stop: takes its user, opens pidfile and sockets, checks the scanners, starts
 * the processes.
 * @throws StartError when it cannot start; nothing is left behind then
 */
export async function supervise(order: SupervisorOrder): Promise<void> {
  const undo: Undo = [];
  try {
    await run(order, undo);
  } finally {
    await undoAll(undo);
  }
}

/** What cannot be undone must not keep the rest from it. */
async function undoAll(undo: Undo): Promise<void> {
  for (const step of undo.reverse()) {
    try {
      await step();
    } catch {
      // The log may be closed already, and there is nothing to be done about it.
    }
  }
}

async function run(order: SupervisorOrder, undo: Undo): Promise<void> {
  const { settings } = order;
  nameProcess("clamav-milter");
  setUmask(UMASK);
  // Before anything is made that would stay behind when a signal ended us.
  const signals = watchSignals();
  const manager = serviceManager(process.env, process.pid);
  const limit = raiseFileLimit();
  const broadcast = openBroadcast(settings, undo);
  const early = await openSockets(settings, settings.sockets.filter(isPrivileged), manager, undo);
  const rights = becomeConfiguredUser(settings);
  const kept = prepareMailPlaces(settings);
  const { log, notices, reopen, close } = openLog(settings.log, systemLogEdge(settings.foreground));
  undo.push(close);
  signals.onFault((error) => log("error", `a fault of this program: ${textOf(error)}`));
  // One that finds another running has nothing to say in its log.
  takePidFile(settings, undo);
  for (const warning of [...notices, ...settings.warnings, ...kept]) log("warning", warning);
  log("verbose", rights);
  await Promise.race([requirePolicy(settings, process.getuid?.() ?? -1), signals.stop]);
  if (signals.stopped) return;
  const engines = enginesFor(settings, log, (work) => undo.push(work));
  const scanners =
    engines === null ? awaitScanners(settings, signals, manager, log) : startEngines(engines, manager);
  await Promise.race([scanners, signals.stop]);
  if (signals.stopped) return;
  const late = settings.sockets.filter((socket) => !isPrivileged(socket));
  // Those of a service manager are given once, whatever ports the command line names.
  const rest = manager.sockets.length > 0 && early.length > 0 ? [] : late;
  const sockets = [...early, ...(await openSockets(settings, rest, manager, undo))];
  const crew = new Crew({ ...crewPlan(settings, sockets, limit), broadcast: broadcast.fd }, settings, log);
  await startCrew(crew, signals.stop);
  if (!signals.stopped) accepting(order, manager, sockets, log);
  broadcast.tell("Starting clamav-milter");
  const heartbeat = startHeartbeat(manager, crew);
  signals.onReload(() => {
    if (!signals.stopped) reload(order, crew, engines, manager, log, reopen);
  });
  signals.onDatabase(() => engines?.reload("SIGUSR2"));
  signals.onReopen(() => {
    reopen();
    crew.reopenLogs();
  });
  log("info", `stopping on ${await signals.stop}`);
  clearInterval(heartbeat);
  manager.stopping();
  // First the sockets: what comes now is for the MTA to keep.
  for (const socket of sockets) socket.release();
  await crew.stop();
  broadcast.tell("Stopping clamav-milter");
  await engines?.stop();
  log("info", "stopped");
  if (signals.faulty)
    throw new StartError("FAULT", EXIT.SOFTWARE, "ended by a fault of its own; the log tells it");
}

/** @throws StartError when a server does not answer, even after `--wait-for-clamd` */
async function awaitScanners(
  { servers, waitForClamd: seconds }: Settings,
  signals: Signals,
  manager: ServiceManager,
  log: Log,
): Promise<void> {
  let timer: ReturnType<typeof setInterval> | undefined;
  const onWait = (names: readonly string[]): void => {
    log("info", `waits up to ${seconds} s for clamd to answer: ${names.join(", ")}`);
    manager.extendStart(EXTENSION);
    timer = setInterval(() => manager.extendStart(EXTENSION), EXTEND_EVERY);
  };
  try {
    await requireScanners(servers, { seconds, onWait, stopped: () => signals.stopped });
  } finally {
    clearInterval(timer);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function isPrivileged(socket: SocketAddress): boolean {
  return socket.kind === "inet" && socket.port < PRIVILEGED_PORTS;
}

/** Sockets that the service manager has opened take the place of all that the command line names. */
async function openSockets(
  settings: Settings,
  wanted: readonly SocketAddress[],
  manager: ServiceManager,
  undo: Undo,
): Promise<ListeningSocket[]> {
  if (manager.sockets.length > 0) {
    if (wanted.length === 0) return [];
    return manager.sockets.map((fd) => ({
      fd,
      text: `descriptor ${fd} of the service manager`,
      release: () => {},
    }));
  }
  const { fixStaleSocket: fixStale, socketMode: mode } = settings;
  const gid = settings.socketGroup === null ? null : groupOf(settings.socketGroup);
  const sockets = await openListeningSockets(wanted, { fixStale, mode, gid });
  const open = sockets.map(releasedOnce);
  for (const socket of open) undo.push(() => socket.release());
  return open;
}

function releasedOnce(socket: ListeningSocket): ListeningSocket {
  let released = false;
  return {
    ...socket,
    release: () => {
      if (!released) socket.release();
      released = true;
    },
  };
}

function crewPlan(settings: Settings, sockets: readonly ListeningSocket[], fileLimit: number) {
  const children = Math.min(MOST_CHILDREN, Math.max(FEWEST_CHILDREN, availableParallelism()));
  const places = Math.floor((fileLimit - RESERVED_DESCRIPTORS) / 2);
  const options = {
    // Half of the descriptors are for connexions: a long message has a file besides.
    maxConnexions: Math.max(16, Math.min(MOST_CONNEXIONS, places)),
    messageMemory: Math.max(LEAST_MEMORY, Math.floor(MESSAGE_MEMORY / children)),
    hostName: hostname(),
    jail: settings.jail,
  };
  return { children, options, listeners: sockets.map((socket) => socket.fd) };
}

async function startCrew(crew: Crew, stop: Promise<string>): Promise<void> {
  try {
    await Promise.race([crew.start(), stop]);
  } catch (error) {
    await crew.kill();
    throw new StartError(
      "CHILD_FAILED",
      EXIT.SOFTWARE,
      error instanceof Error ? error.message : String(error),
    );
  }
}

function accepting(
  order: SupervisorOrder,
  manager: ServiceManager,
  sockets: readonly ListeningSocket[],
  log: Log,
): void {
  log("info", `version ${VERSION} accepts mail on ${sockets.map((socket) => socket.text).join(", ")}`);
  manager.ready();
  order.onAccepting();
}

/** The service manager's watchdog is fed only while children answer. */
function startHeartbeat(manager: ServiceManager, crew: Crew): ReturnType<typeof setInterval> {
  const idle = new IdleCollector(collectGarbage);
  return setInterval(
    () => {
      idle.tick(crew.slotReports, performance.now());
      if (crew.answers) manager.alive();
      // Threads that the runtime has started meanwhile have inherited the main one's right.
      if (process.getuid?.() !== 0) confineChrootRight();
    },
    Math.min(HEARTBEAT, (manager.watchdog ?? HEARTBEAT) / 3),
  );
}

/** SIGHUP: logs are opened anew, and the settings read; wrong ones change nothing. */
function reload(
  order: SupervisorOrder,
  crew: Crew,
  engines: Engines | null,
  manager: ServiceManager,
  log: Log,
  reopen: (settings?: Settings["log"]) => void,
): void {
  manager.reloading(monotonicMicroseconds());
  try {
    const settings = order.reread();
    for (const name of fixedOnes(order.settings, settings)) {
      log("warning", `${name} has changed: that needs a restart`);
    }
    reopen(settings.log);
    crew.renew(settings);
    if (settings.engine !== null) engines?.renew(settings.engine);
    log("info", "the settings were read again");
  } catch (error) {
    reopen();
    crew.reopenLogs();
    const reason = error instanceof Error ? error.message : String(error);
    log("error", `the settings stay as they were: ${reason}`);
  }
  manager.ready();
}

/** What was changed of the settings that count at start only. */
function fixedOnes(before: Settings, after: Settings): string[] {
  const names = [
    "sockets",
    "user",
    "jail",
    "pidFile",
    "foreground",
    "socketMode",
    "socketGroup",
    "broadcast",
  ] as const;
  return names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}
