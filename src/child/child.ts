import { hrtime } from "node:process";
import type { ServerAddress } from "../clamd/address.ts";
import type { ClamdError } from "../clamd/clamd-error.ts";
import { adoptClamd } from "../clamd/connect.ts";
import { ClamdPool, type ScannerPool } from "../clamd/pool.ts";
import { ClamdServer } from "../clamd/server.ts";
import type { Settings } from "../config/settings.ts";
import { type ChildOptions, checkToChild } from "../ipc/messages.ts";
import { PASSING_FD } from "../ipc/role.ts";
import { joinSupervisor, type RoleEnd } from "../ipc/role-end.ts";
import type { Log } from "../log/log.ts";
import { receiveDescriptors } from "../os/descriptor-passing.ts";
import { dieWithParent, nameProcess } from "../os/libc.ts";
import { dropAllRights, enterJail } from "../os/privileges.ts";
import { parseNetworks } from "../policy/networks.ts";
import { lackingText } from "../response/actions.ts";
import { MemoryBudget } from "../scan/memory-budget.ts";
import type { FilterWorld } from "./filter.ts";
import { Gate } from "./gate.ts";
import { KeeperLink } from "./keeper-link.ts";
import { Listeners } from "./listeners.ts";
import { mtaTraces } from "./mta-trace.ts";
import { responseRules } from "./response-rules.ts";

const SIGKILL = 9;
const TICK = 1000;
/** Bytes of mail that one child holds in memory; what is more goes to files. */
const MEMORY = 32 * 1024 * 1024;
/** Milliseconds that a connexion to clamd may take. */
const CONNECT_PATIENCE = 5000;
/** A message that began before its pool was retired is scanned there: it may come in for so long. Milliseconds. */
const RETIRED_KEPT = 3_600_000;
/** clamd.conf's `ReadTimeout 0` means no limit; the message's budget ends the wait all the same. */
const NO_LIMIT = Number.POSITIVE_INFINITY;

/** The role that speaks to the MTA: runs until the supervisor says so, or is gone. */
export async function runChild(): Promise<void> {
  // Even a child that hangs must not outlive its supervisor.
  dieWithParent(SIGKILL);
  nameProcess("clamav-milter");
  // The supervisor alone answers to signals of the terminal and of the service manager.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const)
    process.on(signal, () => {});
  const keeper = new KeeperLink();
  const gate = new Gate({
    wantTables: () => keeper.wantAccess(),
    nameOf: (address) => keeper.nameOf(address),
    log: (level, text) => keeper.log(level, text),
  });
  keeper.onAccess = (access) => gate.take(access);
  let service: Service | null = null;
  const end: RoleEnd = await joinSupervisor((message) => {
    const known = checkToChild(message);
    if (known === null) return;
    if (known.type === "start") {
      takePlace(known.options.jail);
      service = serve(known.settings, known.options, keeper, gate, end);
    } else if (known.type === "keeper") attach(keeper, known.number);
    else if (known.type === "settings") service?.renew(known.settings);
    else if (known.type === "drain") service?.stop();
  });
}

/** Into the jail, and without any right, before the first byte of mail is read. What cannot be given up ends us. */
function takePlace(jail: string | null): void {
  if (jail !== null) enterJail(jail);
  // Started as root without a User there is nothing to give up: a warning was logged.
  else if (process.getuid?.() !== 0) dropAllRights();
}

/** A child at work. */
interface Service {
  renew(settings: Settings): void;
  stop(): void;
}

/** Accepts mail. */
function serve(
  settings: Settings,
  options: ChildOptions,
  keeper: KeeperLink,
  gate: Gate,
  end: RoleEnd,
): Service {
  const log: Log = (level, text, fields) => keeper.log(level, text, fields);
  let current = settings;
  let world = makeWorld(settings, options, makePool(settings, options, keeper, log), keeper, log);
  const retired = new Map<ScannerPool, number>();
  const listeners = new Listeners(options.listeners, options.maxConnexions, () => world, log, gate);
  const timer = setInterval(() => {
    listeners.tick();
    world.pool.tick();
    for (const [pool, since] of retired) {
      pool.tick();
      if (pool.load === 0 && monotonic() - since > RETIRED_KEPT) retired.delete(pool);
    }
    if (keeper.orphaned) process.exit(1);
  }, TICK);
  end.ready();
  return {
    renew: (next) => {
      let { pool } = world;
      if (scannersOf(next) !== scannersOf(current)) {
        // What is in scanning goes on where it is.
        pool.retire();
        retired.set(pool, monotonic());
        pool = makePool(next, options, keeper, log);
      }
      current = next;
      world = makeWorld(next, options, pool, keeper, log);
    },
    stop: () =>
      listeners.drain(() => {
        clearInterval(timer);
        for (const pool of [world.pool, ...retired.keys()]) pool.close();
        // The line about the last message is said after its answer.
        setImmediate(() => {
          keeper.flush();
          process.exit(0);
        });
      }),
  };
}

/** What a pool of scanners is made from, as one value to compare. */
function scannersOf({ servers, readTimeout }: Settings): string {
  return JSON.stringify([servers, readTimeout]);
}

function attach(keeper: KeeperLink, number: number): void {
  const { number: got, descriptors } = receiveDescriptors(PASSING_FD);
  const [channelFd, passingFd] = descriptors;
  if (got !== number || channelFd === undefined || passingFd === undefined) process.exit(1);
  void keeper.attach(channelFd, passingFd);
}

/** Milliseconds since some moment; never goes back when the clock is set. */
function monotonic(): number {
  return Number(hrtime.bigint() / 1_000n) / 1000;
}

function makeWorld(
  settings: Settings,
  options: ChildOptions,
  pool: ScannerPool,
  keeper: KeeperLink,
  log: Log,
): FilterWorld {
  const hostOfServer = new Map(settings.servers.map((server) => [server.name, remoteHost(server)]));
  const rules = responseRules(settings);
  let lackingTold = false;
  return {
    scanRules: {
      scanOutgoing: settings.scanOutgoing,
      scanLocal: settings.scanLocal,
      forceScan: settings.forceScan,
      ignored: parseNetworks(settings.ignoreNets),
    },
    responseRules: rules,
    scanSizeLimit: settings.scanSizeLimit,
    logClean: settings.log.clean,
    pool,
    spool: {
      budget: new MemoryBudget(MEMORY),
      openFile: () => keeper.takeFile(),
    },
    log,
    openTrace: mtaTraces(settings.log.debugLevel, log),
    now: monotonic,
    scanHost: (server) => hostOfServer.get(server) ?? null,
    hostName: options.hostName,
    onLacking: (actions) => {
      if (lackingTold) return;
      lackingTold = true;
      log("warning", lackingText(actions, rules));
    },
  };
}

function makePool(settings: Settings, options: ChildOptions, keeper: KeeperLink, log: Log): ClamdPool {
  const limits = {
    sessions: options.sessionsPerServer,
    connect: CONNECT_PATIENCE,
    silence: settings.readTimeout === 0 ? NO_LIMIT : settings.readTimeout * 1000,
  };
  const edge = {
    now: monotonic,
    connect: async (address: ServerAddress, deadline: number, onEnd: (error: ClamdError) => void) => {
      const place = settings.servers.findIndex((server) => server.name === address.name);
      return adoptClamd(await keeper.connect(place, address.name, deadline), address.name, onEnd);
    },
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
