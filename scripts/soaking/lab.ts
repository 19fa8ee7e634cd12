import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Clamd, type Directives, startClamd, writeDirectives } from "../../test/lab/clamd.ts";
import { type FakeSendmail, fakeSendmail } from "../../test/lab/fake-sendmail.ts";
import { type Filter, type FilterOptions, startFilter } from "../../test/lab/filter.ts";
import { plainFolder } from "../../test/lab/folder.ts";
import { freePort } from "../../test/lab/port.ts";
import { until } from "../../test/lab/wait.ts";
import { type FilterClock, filterClock } from "./clock.ts";
import { soakDatabase } from "./database.ts";
import { MAY_MOUNT, mountSmallDisk, type SmallDisk } from "./small-disk.ts";
import { commandOf, filesBelow, isAlive, treeOf } from "./tree.ts";

export type Mode = "external" | "internal";

/** Bytes of a message that are scanned at most. */
export const STREAM_LIMIT = 6_000_000;
export const POSTMASTER = "virus@lab.example";

/** A place that the filter writes in; on a small disk of its own if that can be mounted. */
export interface LabPlace {
  readonly path: string;
  readonly disk: SmallDisk | null;
}

/** A filter with everything around it, for faults and load. */
export interface SoakLab {
  readonly mode: Mode;
  readonly socket: string;
  /** The filter that runs now. */
  readonly filter: Filter;
  readonly clamds: readonly Clamd[];
  /** The folders of virus databases: of each clamd, or of the engine. */
  readonly databases: readonly string[];
  readonly quarantine: LabPlace;
  readonly outbox: LabPlace;
  readonly temporary: LabPlace;
  readonly sendmail: FakeSendmail;
  readonly clock: FilterClock | null;
  /** What every filter of this lab has logged. */
  log(): string;
  /** Process ids of a role. */
  roles(name: "child" | "keeper" | "engine"): number[];
  /** Ends the filter and starts another with the same settings. @returns what was wrong with the end */
  startAgain(): Promise<readonly string[]>;
  /** Ends everything. @returns what was wrong with the filter's end */
  stop(): Promise<readonly string[]>;
}

const HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3"] as const;
const START_PATIENCE = 60_000;
/** Characters of the logs of filters that have ended. */
const MOST_LOG = 4_000_000;
/** Megabytes of the small disks. */
const SIZES = { quarantine: 96, outbox: 8, temporary: 96 };

/** What has to be ended, last first. */
type Undo = (() => unknown)[];

/** @throws Error when a part of it cannot be started; nothing is left behind then */
export async function startLab(mode: Mode): Promise<SoakLab> {
  const folder = plainFolder();
  const undo: Undo = [() => folder.remove()];
  try {
    return await buildLab(mode, folder.path, undo);
  } catch (error) {
    await undoAll(undo);
    throw error;
  }
}

async function undoAll(undo: Undo): Promise<void> {
  for (const step of undo.splice(0).reverse()) await step();
}

async function buildLab(mode: Mode, home: string, undo: Undo): Promise<SoakLab> {
  const places = makePlaces(home, undo);
  const sendmail = fakeSendmail(home);
  chmodSync(home, 0o755);
  const clock = MAY_MOUNT ? await filterClock(home) : null;
  const scanners = mode === "external" ? await startClamds(home, undo) : null;
  const databases = scanners?.databases ?? [soakDatabase(join(home, "database"))];
  const socket = join(home, "milter.sock");
  const plan: FilterOptions = {
    conf: writeConf(
      join(home, "filter.conf"),
      places.temporary.path,
      scanners === null
        ? { DatabaseDirectory: databases[0] ?? "", DisableCache: "yes" }
        : { TCPSocket: String(scanners.port) },
    ),
    sockets: [`unix:${socket}`],
    options: [
      ...(scanners === null ? ["-M", "1"] : ["-s", HOSTS.join(":"), "--canary=60"]),
      ...["-U", places.quarantine.path, "-p", POSTMASTER],
      ...[`--spool-dir=${places.outbox.path}`, `--sendmail-bin=${sendmail.path}`],
    ],
    internal: mode === "internal",
    ...(clock === null ? {} : { wrapper: clock.wrapper, env: clock.env }),
  };
  const run = await runFilter(plan, socket, places);
  undo.push(run.stop);
  return {
    ...places,
    mode,
    socket,
    clamds: scanners?.clamds ?? [],
    databases,
    sendmail,
    clock,
    get filter() {
      return run.filter;
    },
    log: run.log,
    roles: (name) => run.filter.children().filter((pid) => commandOf(pid).includes(`@${name}`)),
    startAgain: run.startAgain,
    stop: async () => {
      try {
        return await run.end();
      } finally {
        await undoAll(undo);
      }
    },
  };
}

/** One filter after another with the same settings. */
async function runFilter(plan: FilterOptions, socket: string, places: Readonly<Record<string, LabPlace>>) {
  let filter = await startFilter(plan);
  let earlier = "";
  const end = async (): Promise<string[]> => {
    const found = await endFilter(filter, socket, places);
    earlier = `${earlier}${filter.log()}`.slice(-MOST_LOG);
    return found;
  };
  return {
    get filter(): Filter {
      return filter;
    },
    log: () => earlier + filter.log(),
    end,
    startAgain: async (): Promise<string[]> => {
      const found = await end();
      filter = await startFilter(plan);
      return found;
    },
    stop: () => filter.stop(),
  };
}

/** The places that the filter writes in, each on a small disk of its own if that can be. */
function makePlaces(home: string, undo: Undo): Record<keyof typeof SIZES, LabPlace> {
  const place = (name: keyof typeof SIZES): LabPlace => {
    const path = join(home, name);
    if (!MAY_MOUNT) mkdirSync(path, { mode: 0o700 });
    const disk = MAY_MOUNT ? mountSmallDisk(path, SIZES[name]) : null;
    if (disk !== null) undo.push(() => Bun.spawnSync(["umount", "--lazy", path]));
    return { path, disk };
  };
  return { quarantine: place("quarantine"), outbox: place("outbox"), temporary: place("temporary") };
}

/** The filter's clamd.conf. @returns its path */
function writeConf(path: string, temporary: string, scanner: Directives): string {
  writeDirectives(path, {
    MaxThreads: "10",
    LogFileMaxSize: "0",
    AlertExceedsMax: "yes",
    StreamMaxLength: String(STREAM_LIMIT),
    TemporaryDirectory: temporary,
    ...scanner,
  });
  return path;
}

/** Ends a filter and looks at what it leaves behind. */
async function endFilter(
  filter: Filter,
  socket: string,
  places: Readonly<Record<string, LabPlace>>,
): Promise<string[]> {
  const pids = treeOf(filter.pid);
  const status = await filter.stop();
  const wrong = status === 0 ? [] : [`the filter ended with status ${status}`];
  const left = pids.filter(isAlive);
  if (left.length > 0) wrong.push(`${left.length} processes outlived the filter`);
  if (filesBelow(join(socket, "..")).includes(socket)) wrong.push("the socket outlived the filter");
  const unfinished = Object.values(places).flatMap(({ path }) =>
    filesBelow(path).filter((file) => file.endsWith(".new")),
  );
  return [...wrong, ...unfinished.map((path) => `${path} was left behind`)];
}

async function startClamds(home: string, undo: Undo) {
  const port = await freePort(...HOSTS);
  const databases = HOSTS.map((_, at) => soakDatabase(join(home, `clamd${at}-db`)));
  const start = async (addr: string, at: number): Promise<Clamd> => {
    const clamd = await startClamd({
      folder: home,
      name: `clamd${at}`,
      localSocket: false,
      tcp: { addr, port },
      deadline: START_PATIENCE,
      conf: {
        // One in three is silent while it loads, and then for IdleTimeout (1.4.6).
        ConcurrentDatabaseReload: at === 2 ? "no" : "yes",
        IdleTimeout: "2",
        MaxThreads: "10",
        LogClean: "no",
        StreamMaxLength: "20M",
        AlertExceedsMax: "yes",
      },
      database: databases[at] ?? "",
    });
    undo.push(() => clamd.stop());
    return clamd;
  };
  return { port, databases, clamds: await Promise.all(HOSTS.map(start)) };
}

/** Waits until a clamd answers. */
export async function clamdAnswers(clamd: Clamd): Promise<void> {
  await until(async () => (await clamd.ask("PING")) === "PONG", {
    what: "clamd to answer",
    deadline: START_PATIENCE,
  });
}
