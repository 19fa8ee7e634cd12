import { hrtime } from "node:process";
import { connectClamd } from "../clamd/connect.ts";
import { ClamdPool } from "../clamd/pool.ts";
import { ClamdServer } from "../clamd/server.ts";
import type { Settings } from "../config/settings.ts";
import { type Channel, openChannel } from "../ipc/channel.ts";
import { type ChildOptions, checkToChild } from "../ipc/messages.ts";
import type { Log } from "../log/log.ts";
import { openLog } from "../log/open-log.ts";
import { systemLogEdge } from "../log/system-edge.ts";
import { dieWithParent, nameProcess } from "../os/libc.ts";
import { parseNetworks } from "../policy/networks.ts";
import { MemoryBudget } from "../scan/memory-budget.ts";
import { openSpoolFile } from "../scan/spool-file.ts";
import { VERSION } from "../version.ts";
import type { FilterWorld } from "./filter.ts";
import { Listeners } from "./listeners.ts";
import { mtaTraces } from "./mta-trace.ts";
import { CHANNEL_FD } from "./role.ts";

const SIGKILL = 9;
const TICK = 1000;
/** Bytes of mail that one child holds in memory; what is more goes to files. */
const MEMORY = 32 * 1024 * 1024;
/** Milliseconds that a connexion to clamd may take. */
const CONNECT_PATIENCE = 5000;
/** clamd.conf's `ReadTimeout 0` means no limit; the message's budget ends the wait all the same. */
const NO_LIMIT = Number.POSITIVE_INFINITY;

/** The role that speaks to the MTA: runs until the supervisor says so, or is gone. */
export async function runChild(): Promise<void> {
  // Even a child that hangs must not outlive its supervisor.
  dieWithParent(SIGKILL);
  nameProcess("clamav-milter");
  // The supervisor alone answers to signals of the terminal and of the service manager.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  let stop: (() => void) | null = null;
  const channel: Channel = await openChannel(CHANNEL_FD, {
    onMessage(message) {
      const known = checkToChild(message);
      if (known === null) return;
      if (known.type === "start") stop = serve(known.settings, known.options, channel);
      else stop?.();
    },
    onEnd: () => process.exit(0),
  });
}

/** Accepts mail; answers how to stop. */
function serve(settings: Settings, options: ChildOptions, channel: Channel): () => void {
  const { log, close: closeLog } = openLog(settings.log, systemLogEdge(settings.foreground));
  const world = makeWorld(settings, options, log);
  const listeners = new Listeners(options.listeners, options.maxConnexions, world, log);
  const timer = setInterval(() => {
    listeners.tick();
    world.pool.tick();
  }, TICK);
  channel.send({ type: "ready" });
  return () => {
    listeners.drain(() => {
      clearInterval(timer);
      world.pool.close();
      closeLog();
      process.exit(0);
    });
  };
}

/** Milliseconds since some moment; never goes back when the clock is set. */
function monotonic(): number {
  return Number(hrtime.bigint() / 1_000n) / 1000;
}

function makeWorld(settings: Settings, options: ChildOptions, log: Log): FilterWorld {
  const hostOfServer = new Map(settings.servers.map((server) => [server.name, remoteHost(server)]));
  let lackingTold = false;
  return {
    scanRules: {
      scanOutgoing: settings.scanOutgoing,
      scanLocal: settings.scanLocal,
      forceScan: settings.forceScan,
      ignored: parseNetworks(settings.ignoreNets),
    },
    responseRules: {
      addHeaders: settings.addHeaders,
      acceptOnError: settings.acceptOnError,
      discardInfected: settings.discardInfected,
      ourVersion: VERSION,
    },
    scanSizeLimit: settings.scanSizeLimit,
    logClean: settings.log.clean,
    pool: makePool(settings, options, log),
    spool: {
      budget: new MemoryBudget(MEMORY),
      openFile: () => openSpoolFile(settings.temporaryDirectory),
    },
    log,
    openTrace: mtaTraces(settings.log.debugLevel, log),
    now: monotonic,
    scanHost: (server) => hostOfServer.get(server) ?? null,
    hostName: options.hostName,
    onLacking: (actions) => {
      if (lackingTold) return;
      lackingTold = true;
      log(
        "warning",
        `the MTA does not grant milter actions 0x${actions.toString(16)}: headers stay as they are`,
      );
    },
  };
}

function makePool(settings: Settings, options: ChildOptions, log: Log): ClamdPool {
  const limits = {
    sessions: options.sessionsPerServer,
    connect: CONNECT_PATIENCE,
    silence: settings.readTimeout === 0 ? NO_LIMIT : settings.readTimeout * 1000,
  };
  const edge = {
    now: monotonic,
    connect: connectClamd,
    onHealth: (address: { readonly name: string }, up: boolean, why: string) => {
      if (up) log("info", `clamd ${address.name} answers again`);
      else log("error", `clamd cannot be reached: ${why}`);
    },
  };
  return new ClamdPool(settings.servers.map((server) => new ClamdServer(server, limits, edge)));
}

/** The name of a server that is another host; null for this one (CB 6.1). */
function remoteHost(server: Settings["servers"][number]): string | null {
  if (server.kind === "unix") return null;
  return /^(127\.|::1$|localhost$)/i.test(server.host) ? null : server.host;
}
