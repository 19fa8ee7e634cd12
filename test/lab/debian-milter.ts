import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cachedPart, partCommand } from "../../scripts/debian/parts.ts";
import { type Directives, writeDirectives } from "./clamd.ts";
import { freePort, listensOnPath, listensOnPort } from "./port.ts";
import { startProcess } from "./process.ts";
import { DEFAULT_DEADLINE, lineOf, until } from "./wait.ts";

export interface DebianMilterOptions {
  readonly folder: string;
  /** clamd's addresses in the form of `ClamdSocket`: `unix:/path` or `tcp:host:port`. */
  readonly clamdSocket: string | readonly string[];
  /** Listen on a unix socket in the folder, or on a TCP port of 127.0.0.1 (unless told). */
  readonly unix?: boolean;
  /** More directives; they replace the lab's own of the same name. */
  readonly conf?: Directives;
  readonly deadline?: number;
}

export interface DebianMilter {
  readonly pid: number;
  /** Address in libmilter's form, which sendmail and miltertest use: `inet:PORT@127.0.0.1` or `unix:/path`. */
  readonly spec: string;
  /** The same in Postfix's form: `inet:127.0.0.1:PORT` or `unix:/path`. */
  readonly postfixSpec: string;
  log(): string;
  /** Waits for a line of the log that matches: it is written after the answer, not before. */
  logLine(pattern: RegExp, deadline?: number): Promise<string>;
  kill(signal: NodeJS.Signals): void;
  /** Ends it; more than once does no harm. */
  stop(): Promise<void>;
}

const STOP_GRACE = 100;

/**
 * Starts the clamav-milter of Debian's package, in the foreground: it refuses infected mail and marks the rest.
 * It is what our own filter is measured against, and proves the labs without it.
 * @throws code `PARTS_MISSING`, `WAITED_TOO_LONG`, `HOPELESS`
 */
export async function startDebianMilter(options: DebianMilterOptions): Promise<DebianMilter> {
  const { folder, clamdSocket, unix = false, deadline = DEFAULT_DEADLINE } = options;
  const path = join(folder, "debian-milter.sock");
  const port = unix ? 0 : await freePort();
  const spec = unix ? `unix:${path}` : `inet:${port}@127.0.0.1`;
  const logPath = join(folder, "debian-milter.log");
  const confPath = join(folder, "debian-milter.conf");
  writeDirectives(confPath, {
    MilterSocket: spec,
    ...(unix ? { MilterSocketMode: "666" } : {}),
    ClamdSocket: clamdSocket,
    Foreground: "yes",
    OnInfected: "Reject",
    OnFail: "Defer",
    AddHeader: "Replace",
    RejectMsg: "virus found: %v",
    LogFile: logPath,
    LogInfected: "Full",
    LogClean: "Basic",
    ...options.conf,
  });
  const log = (): string => (existsSync(logPath) ? readFileSync(logPath, "utf8") : "");
  const argv = partCommand(cachedPart("clamav-milter"), "usr/sbin/clamav-milter", ["-c", confPath]);
  const started = startProcess({ name: "debian clamav-milter", argv });
  try {
    const listens = (): boolean => {
      started.demandRunning();
      return unix ? listensOnPath(path) : listensOnPort(port);
    };
    const detail = (): string => log() + started.output();
    await until(listens, { deadline, what: "Debian's clamav-milter to listen", detail });
  } catch (error) {
    await started.stop(STOP_GRACE);
    throw error;
  }
  const allLogs = (): string => log() || started.output();
  return {
    pid: started.pid,
    spec,
    postfixSpec: unix ? spec : `inet:127.0.0.1:${port}`,
    log: allLogs,
    logLine: (pattern, limit) => lineOf(allLogs, pattern, limit),
    kill: started.signal,
    // libmilter looks for a pending stop every five seconds only; nothing is lost by not waiting for that.
    stop: () => started.stop(STOP_GRACE),
  };
}
