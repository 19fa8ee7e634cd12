import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { startClamd, writeDirectives } from "../../test/lab/clamd.ts";
import { BINARY } from "../../test/lab/filter.ts";
import { freePort, listensOnPath } from "../../test/lab/port.ts";
import { hopeless, until } from "../../test/lab/wait.ts";
import { boundArgv, FIXED_ENV, killGroup } from "../debian/child.ts";
import { cachedPart, partCommand } from "../debian/parts.ts";
import type { Address } from "./link.ts";

/** Something that is measured, or stands behind it. */
export interface Server {
  readonly name: string;
  readonly pid: number;
  /** Where it is spoken to. */
  readonly address: Address;
  running(): boolean;
  /** What it has written last. */
  lastWords(): string;
  stop(): Promise<void>;
}

/** The filters, by the names under which they stand in the tables. */
export const FILTERS = [
  "clamav-milter",
  "clamav-milter-tcp",
  "ours-unix",
  "ours-tcp",
  "ours-internal",
] as const;
export type FilterName = (typeof FILTERS)[number];

/** A clamd, or what stands for one. */
export interface Scanner {
  readonly pid: number;
  readonly path: string;
  readonly port: number;
  /** Folder of its database, which the internal engine loads too. */
  readonly database: string | null;
  stop(): Promise<void>;
}

/** Clients whose mail is not scanned, and one whose mail is. */
export const LOCAL_NET = "10.99.0.0/16";
export const LOCAL_CLIENT = "10.99.1.1";
export const OUTSIDE_CLIENT = "203.0.113.7";
const START_PATIENCE = 60_000;
const GRACE = 5_000;
const THREADS = "10";

/** Debian's clamd without its cache: real mails are unlike each other. */
export async function startScanner(folder: string, database: string): Promise<Scanner> {
  const conf = {
    DisableCache: "yes",
    LogClean: "no",
    MaxThreads: THREADS,
    MaxQueue: "400",
    StreamMaxLength: "100M",
  };
  const plan = { folder, name: "clamd", tcp: true, database, conf, deadline: START_PATIENCE };
  const clamd = await startClamd(plan);
  return { pid: clamd.pid, path: clamd.socketPath, port: clamd.tcpPort, database, stop: () => clamd.stop() };
}

/** The stand-in that finds everything clean. */
export async function startStub(folder: string): Promise<Scanner> {
  const path = join(folder, "stub.sock");
  // Of the stand-in before.
  rmSync(path, { force: true });
  const port = await freePort();
  const argv = [process.execPath, join(import.meta.dir, "stub-main.ts"), path, String(port)];
  const stub = launch(folder, "stub", argv, { unix: path });
  await listening(stub, path);
  return { pid: stub.pid, path, port, database: null, stop: stub.stop };
}

/**
 * Starts a filter without waiting for it.
 * @param canary whether our filter tests its scanner; a stand-in cannot pass that
 */
export function launchFilter(name: FilterName, folder: string, scanner: Scanner, canary: boolean): Server {
  const socket = join(folder, `${name}.sock`);
  if (name === "clamav-milter") return launchDebian(name, folder, socket, `unix:${scanner.path}`);
  if (name === "clamav-milter-tcp")
    return launchDebian(name, folder, socket, `tcp:127.0.0.1:${scanner.port}`);
  const conf = join(folder, `${name}.conf`);
  const common = { MaxThreads: THREADS, AlertExceedsMax: "yes", StreamMaxLength: "100M" };
  const where = {
    "ours-unix": { LocalSocket: scanner.path },
    "ours-tcp": { TCPSocket: String(scanner.port), TCPAddr: "127.0.0.1" },
    "ours-internal": { DatabaseDirectory: scanner.database ?? "", DisableCache: "yes" },
  }[name];
  writeDirectives(conf, { ...common, ...where });
  const internal = name === "ours-internal";
  const options = [
    "--foreground",
    "-q",
    "--no-check-cf",
    "-I",
    LOCAL_NET,
    `--spool-dir=${join(folder, "spool")}`,
  ];
  const external = internal ? [] : ["--external", ...(canary ? [] : ["--canary=0"])];
  const argv = [BINARY, ...options, ...external, "-c", conf, `unix:${socket}`];
  const env = internal ? { LD_LIBRARY_PATH: cachedPart("clamav").libraryPath } : {};
  return launch(folder, name, argv, { unix: socket }, env);
}

function launchDebian(name: FilterName, folder: string, socket: string, clamd: string): Server {
  const conf = join(folder, `${name}.conf`);
  writeDirectives(conf, {
    MilterSocket: `unix:${socket}`,
    ClamdSocket: clamd,
    Foreground: "yes",
    FixStaleSocket: "yes",
    OnInfected: "Reject",
    OnFail: "Defer",
    AddHeader: "Replace",
    MaxFileSize: "100M",
    LocalNet: LOCAL_NET,
  });
  const argv = partCommand(cachedPart("clamav-milter"), "usr/sbin/clamav-milter", ["-c", conf]);
  // libmilter looks for a pending stop every few seconds only; nothing is lost by not waiting for that.
  return launch(folder, name, argv, { unix: socket }, {}, 100);
}

/** Starts a filter and waits until it accepts mail. @throws code `WAITED_TOO_LONG`, or Error with its last words */
export async function startFilter(
  name: FilterName,
  folder: string,
  scanner: Scanner,
  canary = true,
): Promise<Server> {
  const filter = launchFilter(name, folder, scanner, canary);
  await accepting(filter);
  return filter;
}

/** Waits until a filter answers an MTA. @returns milliseconds that were waited */
export async function accepting(filter: Server): Promise<number> {
  const start = performance.now();
  const answers = async (): Promise<boolean> => {
    if (!filter.running()) throw new Error(`${filter.name} has ended: ${filter.lastWords()}`);
    return greets(filter.address);
  };
  while (!(await answers())) {
    if (performance.now() - start > START_PATIENCE)
      throw new Error(`${filter.name} accepts no mail: ${filter.lastWords()}`);
    await Bun.sleep(1);
  }
  return performance.now() - start;
}

/** Version 6, every action and every step: what today's MTAs offer. */
const OFFER = Buffer.from("0000000d4f00000006000001ff001fffff", "hex");

/** Whether it answers an offer to negotiate. */
function greets(address: Address): Promise<boolean> {
  const target = "unix" in address ? { path: address.unix } : { host: "127.0.0.1", port: address.port };
  return new Promise((resolve) => {
    const socket = connect(target, () => socket.write(OFFER));
    socket.on("data", () => {
      socket.end(Buffer.from("0000000151", "hex"));
      resolve(true);
    });
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(false));
  });
}

async function listening(server: Server, path: string): Promise<void> {
  const listens = (): boolean => {
    if (!server.running()) throw hopeless(`${server.name} has ended: ${server.lastWords()}`);
    return listensOnPath(path);
  };
  await until(listens, {
    deadline: START_PATIENCE,
    what: `${server.name} to listen`,
    detail: server.lastWords,
  });
}

/** What it writes goes to a file: to read it would cost this process time beside the one that is measured. */
function launch(
  folder: string,
  name: string,
  argv: readonly string[],
  address: Address,
  env: Readonly<Record<string, string>> = {},
  grace = GRACE,
): Server {
  const log = join(folder, `${name}.out`);
  const out = openSync(log, "w");
  const child = Bun.spawn(boundArgv(argv), {
    env: { ...FIXED_ENV, ...env },
    stdio: ["ignore", out, out],
    detached: true,
  });
  closeSync(out);
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  const stop = async (): Promise<void> => {
    if (!running()) return;
    killGroup(child.pid, "SIGTERM");
    const timer = setTimeout(() => killGroup(child.pid, "SIGKILL"), grace);
    await child.exited;
    clearTimeout(timer);
  };
  const lastWords = (): string => readFileSync(log, "latin1").slice(-1000);
  return { name, pid: child.pid, address, running, lastWords, stop };
}
