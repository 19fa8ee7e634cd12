/** The engine process: libclamav, one database, several threads that scan; to the rest of the program one more clamd. */
import { closeSync, openSync, writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { CANARY_RANDOMNESS, canaryMail } from "../clamd/canary.ts";
import type { EngineSettings } from "../config/engine-settings.ts";
import { checkToEngine, type EngineOptions, type ToEngine } from "../ipc/engine-messages.ts";
import { PASSING_FD } from "../ipc/role.ts";
import { joinSupervisor, type RoleEnd } from "../ipc/role-end.ts";
import { receiveDescriptors } from "../os/descriptor-passing.ts";
import { dieWithParent, nameProcess, raiseFileLimit } from "../os/libc.ts";
import { replaceDescriptor } from "../os/memory-stream.ts";
import { numberPipe, putNumber } from "../os/pipes.ts";
import { dropAllRights, enterJail } from "../os/privileges.ts";
import { capturingStandardError } from "../os/standard-error-capture.ts";
import { openNameless } from "../scan/spool-file.ts";
import { type Database, loadDatabase, setTemporaryDirectory } from "./database.ts";
import { type DoorEvent, type DoorOrder, PULSE, RETIRE } from "./door.ts";
import { jobMemory } from "./jobs.ts";
import { EngineError, keepScanMemory, type Library, loadLibrary } from "./library.ts";
import { fileScanner, type ScanThreadEvent, type ScanThreadOrder } from "./scan-thread.ts";
import type { ThreadOrder } from "./thread.ts";

const SIGKILL = 9;
const STANDARD_ERROR = 2;
/** Sentences of libclamav's that are passed on. */
const MOST_SENTENCES = 3;

/** The role that scans, when the program does so itself. */
export async function runEngine(): Promise<void> {
  dieWithParent(SIGKILL);
  nameProcess("clamav-milter");
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const)
    process.on(signal, () => {});
  let say: ((word: number) => void) | null = null;
  const pulse = new Pulse();
  const onMessage = (message: unknown): void => {
    const known: ToEngine | null = checkToEngine(message);
    if (known?.type === "start") {
      say = start(known.settings, known.options, end, pulse);
    } else if (known?.type === "listen") {
      const { number, descriptors } = receiveDescriptors(PASSING_FD);
      if (number !== known.number || descriptors[0] === undefined) process.exit(1);
      say?.(descriptors[0]);
    } else if (known?.type === "retire") say?.(RETIRE);
  };
  const end: RoleEnd = await joinSupervisor(onMessage, (answer) => pulse.take(answer, say));
}

/** Heartbeats: it is the thread at the door that has to serve, and so to answer. */
class Pulse {
  #answer: (() => void) | null = null;

  /** A heartbeat has come. One that is unanswered yet is not followed by more, which nobody would read. */
  take(answer: () => void, say: ((word: number) => void) | null): void {
    if (say === null) answer();
    else if (this.#answer === null) {
      this.#answer = answer;
      say(PULSE);
    }
  }

  /** The thread has answered. */
  beat(): void {
    this.#answer?.();
    this.#answer = null;
  }
}

/** Loads, gives up all rights, scans. @returns how to speak to the thread at the door */
function start(
  settings: EngineSettings,
  options: EngineOptions,
  end: RoleEnd,
  pulse: Pulse,
): (word: number) => void {
  raiseFileLimit();
  const library = prepared(
    loadOrTell(end, () => loadLibrary()),
    settings,
  );
  const { database, warnings } = load(library, settings, options, end);
  if (!settings.debug) silenceStandardError();
  if (options.jail !== null) enterJail(options.jail);
  else if (process.getuid?.() !== 0) dropAllRights();
  const { temporaryInside: temporary } = options;
  setTemporaryDirectory(library, database.engine, temporary);
  const common = {
    engine: database.engine,
    scanOptions: settings.scanOptions,
    temporaryDirectory: temporary,
  };
  const finds = findsTestVirus(
    temporary,
    fileScanner({ ...common, number: 0 }, () => {}),
  );
  const say = startThreads(settings, database, common, end, pulse);
  const { version, signatures } = database;
  end.send({ type: "loaded", version, signatures, finds, warnings });
  end.ready();
  return say;
}

function prepared(library: Library, settings: EngineSettings): Library {
  if (settings.debug) library.cl_debug();
  const status = library.cl_init(0);
  if (status !== 0) throw new EngineError("LIBCLAMAV", `libclamav cannot be initialised: status ${status}`);
  keepScanMemory();
  return library;
}

/** The reason why a start fails is for the administrator, without the places in this program. */
function loadOrTell<T>(end: RoleEnd, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    end.send({ type: "unusable", reason: error.message, judged: error.judged });
    process.exit(1);
  }
}

function load(library: Library, settings: EngineSettings, options: EngineOptions, end: RoleEnd): Loaded {
  const { outcome, text } = capturingStandardError(() =>
    loadDatabase(library, settings, options.temporaryOutside),
  );
  if ("value" in outcome) return { database: outcome.value, warnings: sentences(text, "Warning") };
  return loadOrTell(end, () => {
    const { error } = outcome;
    const reasons = sentences(text, "Error").join("; ");
    if (!(error instanceof EngineError) || reasons === "") throw error;
    throw new EngineError(error.code, `${error.message} (${reasons})`);
  });
}

interface Loaded {
  readonly database: Database;
  readonly warnings: readonly string[];
}

/** libclamav's sentences of one kind, in the order in which it said them: they name the file and the line. */
export function sentences(text: string, kind: "Error" | "Warning"): string[] {
  const lines = [...text.matchAll(new RegExp(`^LibClamAV ${kind}: (.*)$`, "gm"))];
  // Boxes of asterisks go around some.
  const plain = lines.map(([, line = ""]) => line.replaceAll(/^\W+|\*+$/g, "").trim());
  return [...new Set(plain)].filter((line) => line !== "").slice(0, MOST_SENTENCES);
}

/** What libclamav says while it scans comes from mails, and is not for anybody's terminal. */
function silenceStandardError(): void {
  const nowhere = openSync("/dev/null", "w");
  replaceDescriptor(nowhere, STANDARD_ERROR);
  closeSync(nowhere);
}

function findsTestVirus(temporary: string, scanFile: (file: number) => string): boolean {
  const file = openNameless(temporary);
  try {
    writeSync(file, canaryMail(crypto.getRandomValues(new Uint8Array(CANARY_RANDOMNESS)), true));
    return scanFile(file).endsWith(" FOUND");
  } finally {
    closeSync(file);
  }
}

function startThreads(
  settings: EngineSettings,
  database: Database,
  common: Omit<ScanThreadOrder, "number" | "jobs" | "jobPipe">,
  end: RoleEnd,
  pulse: Pulse,
): (word: number) => void {
  const jobs = jobMemory();
  const jobPipe = numberPipe();
  const orderPipe = numberPipe();
  let told: string | null = null;
  // What one thread has seen last is so for all of them: it is one directory.
  const onProblem = (problem: string | null): void => {
    if (problem !== told) end.send({ type: "temporary", problem });
    told = problem;
  };
  // The first: heartbeats are answered there.
  const order: DoorOrder = {
    jobs,
    jobPipe: jobPipe.writeEnd,
    orderPipe: orderPipe.readEnd,
    version: database.version,
    streamMaxLength: settings.streamMaxLength,
    threads: settings.threads,
    scanDeadline: settings.scanDeadline,
    temporaryDirectory: common.temporaryDirectory,
    uid: process.getuid?.() ?? -1,
  };
  startThread({ thread: "door", order }, (event: DoorEvent) => {
    if (event.kind === "pulse") pulse.beat();
    else if (event.kind === "temporary") onProblem(event.problem);
    else end.send({ type: event.kind });
  });
  for (let number = 1; number <= settings.threads; number++) {
    const order: ScanThreadOrder = { ...common, number, jobs, jobPipe: jobPipe.readEnd };
    startThread({ thread: "scan", order }, ({ problem }: ScanThreadEvent) => onProblem(problem));
  }
  return (word) => putNumber(orderPipe.writeEnd, word);
}

/** The same program in a thread; one that fails takes the process with it, which is replaced. */
function startThread<E>(order: ThreadOrder, onEvent: (event: E) => void): void {
  const worker = new Worker(Bun.main, { workerData: order });
  worker.on("message", onEvent);
  worker.on("error", (error) => {
    throw error;
  });
  worker.on("exit", (code) => {
    throw new Error(`the ${order.thread} thread has ended with ${code}`);
  });
}
