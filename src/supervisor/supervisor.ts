import { availableParallelism, hostname } from "node:os";
import { EXIT, StartError } from "../cli/start-error.ts";
import type { Settings } from "../config/settings.ts";
import type { Log } from "../log/log.ts";
import { openLog } from "../log/open-log.ts";
import { systemLogEdge } from "../log/system-edge.ts";
import { nameProcess, raiseFileLimit } from "../os/libc.ts";
import { VERSION } from "../version.ts";
import { Children } from "./children.ts";
import { type ListeningSocket, openListeningSockets } from "./listening.ts";
import { requireScanners } from "./scanner-check.ts";

/** Two at least, so that the death of one does not leave mail waiting; more than cores gain nothing. */
const FEWEST_CHILDREN = 2;
const MOST_CHILDREN = 16;
/** Descriptors that a child needs besides those of its connexions. */
const RESERVED_DESCRIPTORS = 128;
const MOST_CONNEXIONS = 50_000;

/**
 * Runs the program until it is told to stop: checks the scanners, opens the sockets, starts the children.
 * @throws StartError when it cannot start; nothing is left behind then
 */
export async function supervise(settings: Settings): Promise<void> {
  const { log, notices, close } = openLog(settings.log, systemLogEdge(settings.foreground));
  try {
    for (const warning of [...notices, ...settings.warnings]) log("warning", warning);
    await run(settings, log);
  } finally {
    close();
  }
}

async function run(settings: Settings, log: Log): Promise<void> {
  nameProcess("clamav-milter");
  await requireScanners(settings.servers);
  const sockets = await openListeningSockets(settings.sockets, settings.fixStaleSocket);
  const children = makeChildren(settings, sockets, log);
  const stopSignal = nextStopSignal();
  let accepting = false;
  try {
    await Promise.race([
      children.start().then(() => {
        accepting = true;
      }),
      stopSignal,
    ]);
  } catch (error) {
    children.kill();
    release(sockets);
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError("CHILD_FAILED", EXIT.SOFTWARE, reason);
  }
  const where = sockets.map((socket) => socket.text).join(", ");
  if (accepting) log("info", `version ${VERSION} accepts mail on ${where}`);
  const signal = await stopSignal;
  log("info", `stopping on ${signal}`);
  // First the sockets: what comes now is for the MTA to keep.
  release(sockets);
  await children.stop();
  log("info", "stopped");
}

function makeChildren(settings: Settings, sockets: readonly ListeningSocket[], log: Log): Children {
  const count = Math.min(MOST_CHILDREN, Math.max(FEWEST_CHILDREN, availableParallelism()));
  const places = Math.floor((raiseFileLimit() - RESERVED_DESCRIPTORS) / 2);
  return new Children(
    {
      count,
      settings,
      options: {
        // Together about as many scans as clamd has threads: more would only wait inside clamd.
        sessionsPerServer: Math.max(1, Math.ceil(settings.maxThreads / count)),
        // Half of the descriptors are for connexions: a long message has a file besides.
        maxConnexions: Math.max(16, Math.min(MOST_CONNEXIONS, places)),
        hostName: hostname(),
      },
      listeners: sockets.map((socket) => socket.fd),
    },
    log,
  );
}

function release(sockets: readonly ListeningSocket[]): void {
  for (const socket of sockets) socket.release();
}

/** Resolves with the name of the first signal that asks to stop. */
function nextStopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => resolve(signal));
  });
}
