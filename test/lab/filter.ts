import { dirname, join } from "node:path";
import { cachedPart, REPOSITORY } from "../../scripts/debian/parts.ts";
import { type LabProcess, startProcess } from "./process.ts";
import { DEFAULT_DEADLINE, hopeless, until } from "./wait.ts";

/** The built program: what a user copies to a host. */
export const BINARY = join(REPOSITORY, "dist/clamav-milter");

export interface FilterOptions {
  /** clamd.conf. */
  readonly conf: string;
  /** Milter socket addresses, as on the command line. */
  readonly sockets: readonly string[];
  /** Options besides `--foreground`, `--external`, `--no-check-cf` (the host's own is no concern of ours) and `-c`. */
  readonly options?: readonly string[];
  /** The built-in engine scans, with the libclamav of Debian's package. */
  readonly internal?: boolean;
  /** A command that the filter is run by, such as `unshare --mount`. */
  readonly wrapper?: readonly string[];
  /** What its environment has besides. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Our filter at work. */
export interface Filter {
  readonly pid: number;
  /** Its log: standard error. */
  log(): string;
  /** Process ids of the children that live now. */
  children(): number[];
  running(): boolean;
  /** Ends it by SIGTERM and gives its exit status. */
  stop(): Promise<number | null>;
  signal(signal: NodeJS.Signals): void;
  /** Waits until the log has a line that matches, and gives it. */
  logLine(pattern: RegExp, deadline?: number): Promise<string>;
  readonly exited: Promise<number | null>;
}

/**
 * Starts the built filter in the foreground and waits until it accepts mail.
 * @throws code `HOPELESS` with its output when it ends instead
 */
export async function startFilter(plan: FilterOptions): Promise<Filter> {
  const { conf, sockets, options = [], internal = false, wrapper = [] } = plan;
  const scanner = internal ? [] : ["--external"];
  // Nothing of a test is to be kept where the host's own program keeps it, or to reach anybody's mailbox.
  const apart = [`--spool-dir=${join(dirname(conf), "spool")}`, "--sendmail-bin=/bin/true"];
  const usual = ["--foreground", ...scanner, "--no-check-cf", "-c", conf, ...apart];
  const argv = [...wrapper, BINARY, ...usual, ...options, ...sockets];
  const library = internal ? { LD_LIBRARY_PATH: cachedPart("clamav").libraryPath } : {};
  const env = { ...library, ...plan.env };
  const started = startProcess({ name: "clamav-milter", argv, env });
  const filter = filterOf(started);
  await filter.logLine(/ accepts mail on /, DEFAULT_DEADLINE);
  return filter;
}

function filterOf(started: LabProcess): Filter {
  const logLine = (pattern: RegExp, deadline = DEFAULT_DEADLINE): Promise<string> =>
    until(
      () => {
        const line = started
          .output()
          .split("\n")
          .find((each) => pattern.test(each));
        if (line === undefined && !started.running())
          throw hopeless(`clamav-milter has ended: ${started.output()}`);
        return line;
      },
      { deadline, what: `a line like ${pattern} in the filter's log`, detail: started.output },
    );
  return {
    pid: started.pid,
    log: started.output,
    children: () => childrenOf(started.pid),
    running: started.running,
    exited: started.exited,
    signal: started.signal,
    logLine,
    stop: async () => {
      // Longer than the filter's own bound, so that a kill here means a fault there.
      await started.stop(40_000);
      return started.exited;
    },
  };
}

function childrenOf(pid: number): number[] {
  const found = Bun.spawnSync(["pgrep", "-P", String(pid)]).stdout.toString();
  return found
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
}
