import { hrtime } from "node:process";
import type { ScannerHealth } from "../clamd/health.ts";
import type { ScannerPool } from "../clamd/pool.ts";
import type { Settings } from "../config/settings.ts";
import { type ChildOptions, checkToChild, type ToChild } from "../ipc/messages.ts";
import { PASSING_FD } from "../ipc/role.ts";
import { joinSupervisor, type RoleEnd } from "../ipc/role-end.ts";
import type { SlotWord } from "../ipc/slot-messages.ts";
import { isVerbose } from "../log/choice.ts";
import type { Log } from "../log/log.ts";
import { receiveDescriptors } from "../os/descriptor-passing.ts";
import { collectGarbage, IdleCollector } from "../os/idle-collector.ts";
import { closeDescriptor, dieWithParent, nameProcess } from "../os/libc.ts";
import { dropAllRights, enterJail } from "../os/privileges.ts";
import { lackingText } from "../response/actions.ts";
import { EndlessMessages } from "../scan/endless.ts";
import type { ScanWorld } from "../scan/job.ts";
import { Lane } from "../scan/lane.ts";
import type { SpoolEdge } from "../scan/spool-edge.ts";
import type { MailDesk } from "./conclusion.ts";
import type { FilterWorld } from "./filter-world.ts";
import { Gate } from "./gate.ts";
import { KeeperLink } from "./keeper-link.ts";
import { Listeners } from "./listeners.ts";
import { mailDesk } from "./mail-desk.ts";
import { mtaTraces } from "./mta-trace.ts";
import { PolicyTables } from "./policy-tables.ts";
import { makePolicyWorld } from "./policy-world.ts";
import { responseRules } from "./response-rules.ts";
import { makePool, remoteHost, scannersOf } from "./scanners.ts";
import { Slots } from "./slots.ts";
import { spoolEdge } from "./spool-edge.ts";

const SIGKILL = 9;
const TICK = 1000;
/** Without a keeper for so long there is no hope of work. Milliseconds. */
const ORPHAN_PATIENCE = 60_000;
/** A keeper that has died is replaced sooner: a link that is missing for longer was lost on its way. Milliseconds. */
const LINK_PATIENCE = 2_000;
/** A message that began before its pool was retired is scanned there: it may come in for so long. Milliseconds. */
const RETIRED_KEPT = 3_600_000;

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
  const tables = new PolicyTables(monotonic);
  const desk = mailDesk(keeper);
  let service: Service | null = null;
  /** What came while the tables were waited for. */
  const early: ToChild[] = [];
  keeper.onWhitelist = (portion) => {
    if (tables.takeWhitelist(portion)) service?.relist();
  };
  const begin = (settings: Settings, options: ChildOptions): void => {
    const spool = spoolEdge(options.messageMemory, () => keeper.takeFile());
    service = serve(settings, options, { keeper, gate, tables, end, desk, spool });
    for (const message of early.splice(0)) tell(service, message);
  };
  const end: RoleEnd = await joinSupervisor((message) => {
    const known = checkToChild(message);
    if (known === null) return;
    if (known.type === "start") {
      const { settings, options } = known;
      takePlace(options.jail);
      // No mail is judged without the lists that are to be kept to.
      void tables.came(settings).then(() => begin(settings, options));
    } else if (known.type === "keeper") attach(keeper, known.number);
    else if (known.type === "blacklist" || known.type === "unblacklist") {
      if (tables.takeBlacklist(known)) end.send({ type: "blacklistNext" });
    } else if (service !== null) tell(service, known);
    // One that holds no mail yet has nothing to finish.
    else if (known.type === "drain") process.exit(0);
    else early.push(known);
  });
}

/** Into the jail, and without any right, before the first byte of mail is read. What cannot be given up ends us. */
function takePlace(jail: string | null): void {
  if (jail !== null) enterJail(jail);
  // Started as root without a User there is nothing to give up: a warning was logged.
  else if (process.getuid?.() !== 0) dropAllRights();
}

/** What a child works with from its first moment on. */
interface Links {
  readonly desk: MailDesk;
  readonly keeper: KeeperLink;
  readonly gate: Gate;
  readonly tables: PolicyTables;
  readonly end: RoleEnd;
  readonly spool: Omit<SpoolEdge, "passing">;
}

/** A child at work. */
interface Service {
  renew(settings: Settings): void;
  /** The whitelist is another. */
  relist(): void;
  /** Takes what is known of the servers. */
  learn(scanners: readonly ScannerHealth[]): void;
  /** Takes the hashes of messages that no scanner gets through with. */
  remember(hashes: readonly string[]): void;
  /** Accepts connexions, or leaves them to others. */
  accept(on: boolean): void;
  /** Takes the supervisor's word on the slots. */
  hear(word: SlotWord): void;
  stop(): void;
}

function tell(service: Service, message: ToChild): void {
  if (message.type === "settings") service.renew(message.settings);
  else if (message.type === "scanners") service.learn(message.scanners);
  else if (message.type === "endless") service.remember(message.hashes);
  else if (message.type === "slots") service.hear(message);
  else if (message.type === "accept") service.accept(message.on);
  else if (message.type === "drain") service.stop();
}

/** Accepts mail. */
function serve(settings: Settings, options: ChildOptions, links: Links): Service {
  const { keeper, gate, end } = links;
  let current = settings;
  // A line that nobody is to see is not worth the way to the keeper.
  const log: Log = (level, text, fields) => {
    if (level !== "verbose" || isVerbose(current.log)) keeper.log(level, text, fields);
  };
  const endless = new EndlessMessages();
  const suspects = new Lane();
  let health = options.scanners;
  const poolOf = (settings: Settings): ScannerPool => makePool(settings, health, keeper, monotonic);
  const scanWorld = (pool: ScannerPool): ScanWorld => ({
    pool,
    endless,
    suspects,
    onEndless: (hash) => end.send({ type: "endless", hash }),
    now: monotonic,
    sleep: Bun.sleep,
  });
  const slots = new Slots({
    now: monotonic,
    send: (report) => end.send(report),
    defer: setImmediate,
    after: (delay, work) => void setTimeout(work, delay),
    onOver: () => log("warning", overText(current)),
  });
  let world = makeWorld(settings, options, scanWorld(poolOf(settings)), slots, links, log);
  const retired = new Map<ScannerPool, number>();
  const listeners = new Listeners(
    options.listeners,
    options.maxConnexions,
    () => world,
    log,
    gate,
    (crowded) => end.send({ type: "crowded", crowded }),
  );
  const idle = new IdleCollector(collectGarbage);
  const timer = setInterval(() => {
    listeners.tick();
    idle.tick(listeners.received, monotonic());
    links.spool.blocks.tick();
    world.scan.pool.tick();
    slots.tick();
    for (const [pool, since] of retired) {
      pool.tick();
      if (pool.load === 0 && monotonic() - since > RETIRED_KEPT) retired.delete(pool);
    }
    const { unserved } = keeper;
    if (unserved > ORPHAN_PATIENCE) process.exit(1);
    if (unserved > LINK_PATIENCE) end.send({ type: "unlinked" });
  }, TICK);
  end.ready();
  return {
    renew: (next) => {
      let { pool } = world.scan;
      if (scannersOf(next) !== scannersOf(current)) {
        // What is in scanning goes on where it is.
        pool.retire();
        retired.set(pool, monotonic());
        pool = poolOf(next);
      }
      current = next;
      world = makeWorld(next, options, scanWorld(pool), slots, links, log);
    },
    relist: () => {
      world = { ...world, policy: makePolicyWorld(current, options.hostName, links) };
    },
    learn: (scanners) => {
      health = scanners;
      for (const pool of [world.scan.pool, ...retired.keys()]) pool.learn(scanners);
    },
    remember: (hashes) => {
      for (const hash of hashes) endless.remember(hash, monotonic());
    },
    accept: (on) => listeners.accept(on),
    hear: (word) => slots.hear(word),
    stop: () =>
      listeners.drain(() => {
        clearInterval(timer);
        for (const pool of [world.scan.pool, ...retired.keys()]) pool.close();
        // The line about the last message is said after its answer.
        setImmediate(() => {
          keeper.flush();
          process.exit(0);
        });
      }),
  };
}

function overText({ maxChildren }: Settings): string {
  const reason = "messages have waited for a place for as long as they may";
  return `${reason}: they are scanned over --max-children=${maxChildren}`;
}

function attach(keeper: KeeperLink, number: number): void {
  const { number: got, descriptors } = receiveDescriptors(PASSING_FD);
  const [channelFd, passingFd] = descriptors;
  // Out of step with the supervisor for good.
  if (got !== number) process.exit(1);
  if (channelFd === undefined || passingFd === undefined) {
    // There was no place for them: we ask again.
    for (const descriptor of descriptors) closeDescriptor(descriptor);
    return;
  }
  void keeper.attach(channelFd, passingFd);
}

/** Milliseconds since some moment; never goes back when the clock is set. */
function monotonic(): number {
  return Number(hrtime.bigint() / 1_000n) / 1000;
}

function makeWorld(
  settings: Settings,
  options: ChildOptions,
  scan: ScanWorld,
  slots: Slots,
  links: Links,
  log: Log,
): FilterWorld {
  const hostOfServer = new Map(settings.servers.map((server) => [server.name, remoteHost(server)]));
  const rules = responseRules(settings);
  let lackingTold = false;
  return {
    policy: makePolicyWorld(settings, options.hostName, links),
    responseRules: rules,
    scanSizeLimit: settings.scanSizeLimit,
    logClean: settings.log.clean,
    scan,
    budget: settings.scanTimeout * 1000,
    slots,
    slotTimeout: settings.slotTimeout * 1000,
    dontWait: settings.dontWait,
    spool: { ...links.spool, passing: settings.servers.some(({ kind }) => kind === "unix") },
    log,
    openTrace: mtaTraces(settings.log.debugLevel, log),
    now: monotonic,
    scanHost: (server) => hostOfServer.get(server) ?? null,
    hostName: options.hostName,
    desk: links.desk,
    broadcast: settings.broadcast !== null,
    onLacking: (actions) => {
      if (lackingTold) return;
      lackingTold = true;
      log("warning", lackingText(actions, rules));
    },
  };
}
