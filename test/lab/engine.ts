import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cachedPart, REPOSITORY } from "../../scripts/debian/parts.ts";
import { parseClamdConf } from "../../src/config/clamd-conf.ts";
import { type EngineSettings, resolveEngine } from "../../src/config/engine-settings.ts";
import { openChannel } from "../../src/ipc/channel.ts";
import type { FromRole } from "../../src/ipc/messages.ts";
import { descriptorSocketPair, sendDescriptors } from "../../src/os/descriptor-passing.ts";
import {
  AF_UNIX,
  bindSocket,
  closeDescriptor,
  listenSocket,
  socketPair,
  streamSocket,
} from "../../src/os/libc.ts";
import { unixAddress } from "../../src/os/sockaddr.ts";
import { until } from "./wait.ts";

/** What finds the libraries of Debian's package, which is not installed. */
export function libraryEnvironment(): Record<string, string> {
  return { LD_LIBRARY_PATH: cachedPart("clamav").libraryPath };
}

/** The same from a copy in a folder: another user has no way into a checkout that is one's own (mode 0700). */
export function copiedLibraryEnvironment(folder: string): Record<string, string> {
  const copies = cachedPart("clamav")
    .libraryPath.split(":")
    .map((path, at) => {
      const copy = join(folder, `lib${at}`);
      cpSync(path, copy, { recursive: true, verbatimSymlinks: true });
      return copy;
    });
  return { LD_LIBRARY_PATH: copies.join(":") };
}

/** An engine process, without the rest of the program. */
export interface LabEngine {
  readonly pid: number;
  /** Address of its socket, in the abstract namespace. */
  readonly socket: string;
  readonly temporary: string;
  /** What it has told its supervisor. */
  readonly told: readonly FromRole[];
  retire(): void;
  stop(): Promise<void>;
}

/** Settings as the program makes them from a clamd.conf. */
export function engineSettings(conf: string, temporaryDirectory: string): EngineSettings {
  const around = { temporaryDirectory, temporaryGiven: true, cores: 2, monitor: null, debug: false };
  return resolveEngine(parseClamdConf(conf, "clamd.conf"), around);
}

/**
 * Starts the engine's role from source, as its supervisor does, and has it listen. One that cannot be used has said
 * why in `told`.
 * @param change to the settings that clamd.conf makes
 */
export async function startEngine(conf: string, change: Partial<EngineSettings> = {}): Promise<LabEngine> {
  const folder = mkdtempSync(join(tmpdir(), "lab-engine-"));
  const directory = join(folder, "temporary");
  mkdirSync(directory);
  const [ours, theirs] = socketPair();
  const [passing, theirPassing] = descriptorSocketPair();
  const child = Bun.spawn({
    cmd: [process.execPath, join(REPOSITORY, "src/main.ts"), "@engine"],
    env: { PATH: "/usr/bin:/bin", ...libraryEnvironment() },
    stdio: ["ignore", "ignore", "inherit", theirs, theirPassing],
  });
  closeDescriptor(theirs);
  closeDescriptor(theirPassing);
  const told: FromRole[] = [];
  const channel = await openChannel(ours, {
    onMessage: (message) => told.push(message as FromRole),
    onEnd: () => {},
  });
  const options = { jail: null, temporaryOutside: directory, temporaryInside: directory };
  channel.send({ type: "start", settings: { ...engineSettings(conf, directory), ...change }, options });
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
    channel.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await until(() => told.find(({ type }) => ["ready", "failed", "unusable"].includes(type)), {
      deadline: 20_000,
      what: "the engine to be ready",
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const socket = `\0lab-engine-${child.pid}`;
  const listener = streamSocket(AF_UNIX, true);
  bindSocket(listener, unixAddress(socket));
  listenSocket(listener, 64);
  if (told.some(({ type }) => type === "ready")) {
    sendDescriptors(passing, 1, [listener]);
    channel.send({ type: "listen", number: 1 });
  }
  closeDescriptor(listener);
  const retire = (): void => channel.send({ type: "retire" });
  return { pid: child.pid, socket, temporary: directory, told, retire, stop };
}
