import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { cachedPart, partCommand } from "../../scripts/debian/parts.ts";
import { writeDatabase } from "./database.ts";
import { freePort } from "./port.ts";
import { type LabProcess, startProcess } from "./process.ts";
import { DEFAULT_DEADLINE, lineOf, until } from "./wait.ts";

/** A directive's values; several values are several lines. */
export type Directives = Readonly<Record<string, string | readonly string[]>>;

export interface ClamdOptions {
  /** Folder for its sockets, logs, database and temporary files. */
  readonly folder: string;
  /** Name for its files in the folder; `clamd` unless told. Give one to each of several in a folder. */
  readonly name?: string;
  /** Listen on a unix socket; true unless told. */
  readonly localSocket?: boolean;
  /** Listen on TCP; false unless told. On a free port, unless it has to be one that others have elsewhere. */
  readonly tcp?: boolean | { readonly addr: string; readonly port?: number };
  /** More directives for clamd.conf; they replace the lab's own of the same name. */
  readonly conf?: Directives;
  /** Folder of virus databases; without it the lab's own small one is written. */
  readonly database?: string;
  /** Milliseconds until it must answer. */
  readonly deadline?: number;
}

export interface Clamd {
  /** Process id of the clamd that runs now. */
  readonly pid: number;
  /** Path of its unix socket, also when it does not listen there. */
  readonly socketPath: string;
  /** TCP port, 0 when it does not listen on TCP. */
  readonly tcpPort: number;
  readonly tcpAddr: string;
  /**
   * Its clamd.conf as a filter's `-c` may have it: without the lab's LogFile, since a filter that finds that locked
   * logs to syslog, and nothing of a test is to go to the host's own.
   */
  readonly confPath: string;
  /** Everything it has logged. */
  log(): string;
  /** Waits for a line of the log that matches: it is written after the answer, not before. */
  logLine(pattern: RegExp, deadline?: number): Promise<string>;
  /** Sends one old-style command, e.g. `PING`, and gives the answer. */
  ask(command: string): Promise<string>;
  /** Sends a signal, e.g. SIGKILL, SIGSTOP, SIGCONT. */
  kill(signal: NodeJS.Signals): void;
  running(): boolean;
  /** Ends it; more than once does no harm. */
  stop(): Promise<void>;
  /** Ends it if it runs, and starts it again on the same addresses. */
  restart(): Promise<void>;
}

/** Writes directives in clamd.conf's form, one line for each value. */
export function writeDirectives(path: string, directives: Directives): void {
  const lines = Object.entries(directives).flatMap(([name, value]) => {
    const values = typeof value === "string" ? [value] : value;
    return values.map((one) => `${name} ${one}`);
  });
  writeFileSync(path, `${lines.join("\n")}\n`);
}

/**
 * Starts Debian's real clamd in the foreground, as the user that runs the tests. It is ready when it answers PING
 * on every address it was given.
 * @throws code `PARTS_MISSING`, `WAITED_TOO_LONG` or `HOPELESS` (it ended), the last two with its log
 */
export async function startClamd(options: ClamdOptions): Promise<Clamd> {
  const { folder, name = "clamd", localSocket = true, tcp = false, deadline = DEFAULT_DEADLINE } = options;
  const tcpAddr = typeof tcp === "object" ? tcp.addr : "127.0.0.1";
  const tcpPort = tcp === false ? 0 : (typeof tcp === "object" && tcp.port) || (await freePort(tcpAddr));
  const socketPath = join(folder, `${name}.sock`);
  const confPath = join(folder, `${name}.conf`);
  const logPath = join(folder, `${name}.log`);
  const temporary = join(folder, `${name}-tmp`);
  mkdirSync(temporary, { recursive: true });
  const shared: Directives = {
    Foreground: "yes",
    LogFileMaxSize: "0",
    LogTime: "yes",
    LogClean: "yes",
    DatabaseDirectory: options.database ?? writeDatabase(join(folder, `${name}-db`)),
    TemporaryDirectory: temporary,
    ...(localSocket ? { LocalSocket: socketPath, LocalSocketMode: "666" } : {}),
    ...(tcp === false ? {} : { TCPSocket: String(tcpPort), TCPAddr: tcpAddr }),
    ...options.conf,
  };
  const ownConfPath = join(folder, `${name}-own.conf`);
  writeDirectives(confPath, shared);
  writeDirectives(ownConfPath, { LogFile: logPath, ...shared });
  const targets: Target[] = [
    ...(localSocket ? [{ path: socketPath }] : []),
    ...(tcp === false ? [] : [{ host: tcpAddr, port: tcpPort }]),
  ];
  const log = (): string => (existsSync(logPath) ? readFileSync(logPath, "utf8") : "");
  const launch = (): Promise<LabProcess> =>
    launchClamd({ name, confPath: ownConfPath, targets, deadline, log });
  let current = await launch();
  const allLogs = (): string => log() || current.output();
  return {
    get pid() {
      return current.pid;
    },
    socketPath,
    tcpPort,
    tcpAddr,
    confPath,
    log: allLogs,
    logLine: (pattern, limit) => lineOf(allLogs, pattern, limit),
    ask: (command) => askClamd(targets[0] ?? { path: socketPath }, command),
    kill: (signal) => current.signal(signal),
    running: () => current.running(),
    stop: () => stopClamd(current),
    restart: async () => {
      await stopClamd(current);
      current = await launch();
    },
  };
}

type Target = { readonly path: string } | { readonly host: string; readonly port: number };

interface Launch {
  readonly name: string;
  readonly confPath: string;
  readonly targets: readonly Target[];
  readonly deadline: number;
  readonly log: () => string;
}

async function launchClamd({ name, confPath, targets, deadline, log }: Launch): Promise<LabProcess> {
  const argv = partCommand(cachedPart("clamav"), "usr/sbin/clamd", ["--config-file", confPath]);
  const started = startProcess({ name, argv });
  try {
    for (const target of targets) {
      const answers = async (): Promise<boolean> => {
        started.demandRunning();
        return (await askClamd(target, "PING")) === "PONG";
      };
      const detail = (): string => log() + started.output();
      await until(answers, { deadline, what: `${name} to answer PING`, detail });
    }
    return started;
  } catch (error) {
    await stopClamd(started);
    throw error;
  }
}

/** A stopped (SIGSTOP) clamd would sleep through TERM. */
async function stopClamd(current: LabProcess): Promise<void> {
  current.signal("SIGCONT");
  await current.stop();
}

const ASK_DEADLINE = 2_000;

function askClamd(target: Target, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(target, () => socket.write(`n${command}\n`));
    socket.setTimeout(ASK_DEADLINE, () => socket.destroy(new Error(`clamd: no answer to ${command}`)));
    socket.on("data", (data) => {
      answer += data.toString("latin1");
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(answer.trim()));
  });
}
