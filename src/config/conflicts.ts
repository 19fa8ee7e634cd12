import { posix } from "node:path";
import type { GivenOptions } from "../cli/command-line.ts";
import type { OptionName } from "../cli/options.ts";
import { EXIT, type ExitCode, StartError } from "../cli/start-error.ts";
import { booleanOf, type ClamdConf, textOf } from "./clamd-conf.ts";
import { externalScanners } from "./servers.ts";
import type { RunCommandLine } from "./settings.ts";

/** What is known about a directory that an option names; `problem`: why nothing is known. */
export type DirectoryFact =
  | { readonly found: true; readonly directory: boolean; readonly mode: number; readonly writable: boolean }
  | { readonly found: false; readonly problem: string };

/** What of the surroundings decides about conflicts. */
export interface StartFacts {
  readonly uid: number;
  /** About the directory of `--quarantine-dir`; null when the option was not given. */
  readonly quarantineDirectory: DirectoryFact | null;
  /** Options whose file cannot be read, and why. */
  readonly unreadable: ReadonlyMap<OptionName, string>;
}

/** Options whose file must be readable at start, with the exit status of CB 1 when it is not. */
export const FILES_TO_READ: readonly { readonly name: OptionName; readonly exit: ExitCode }[] = [
  { name: "template-file", exit: EXIT.CONFIG },
  { name: "template-headers", exit: EXIT.CONFIG },
  { name: "whitelist-file", exit: EXIT.CONFIG },
  { name: "signature-file", exit: EXIT.USAGE },
];

interface Conflict {
  readonly exit: ExitCode;
  readonly message: string;
  readonly here: boolean;
}

/**
 * Conflicts that need no clamd.conf (decisions 1, "Conflicts, complete").
 *
 * @throws StartError `CONFLICT`, 64 or 78, for the first one
 */
export function refuseOptionConflicts(options: GivenOptions, facts: StartFacts): void {
  const has = (name: OptionName): boolean => options.values[name] !== undefined;
  const forged = "detect-forged-local-address";
  const rows: Conflict[] = [
    { exit: EXIT.USAGE, here: has("server") && !has("external"), message: "--server: needs --external" },
    ...(["quarantine", "quarantine-dir"] as const).map((name) => ({
      exit: EXIT.USAGE,
      here: has("advisory") && has(name),
      message: `--advisory: cannot be combined with --${name}, since it delivers the mail`,
    })),
    ...(["outgoing", "local", "force-scan"] as const).map((name) => ({
      exit: EXIT.CONFIG,
      here: has(forged) && has(name),
      message: `--${forged}: cannot be combined with --${name}`,
    })),
    {
      exit: EXIT.CONFIG,
      here: has("template-headers") && !has("template-file"),
      message: "--template-headers: needs --template-file",
    },
    {
      exit: EXIT.USAGE,
      here:
        typeof options.values.broadcast === "string" && options.values.broadcast !== "" && facts.uid !== 0,
      message: "--broadcast: only root can choose the interface; start as root or give --broadcast alone",
    },
    { exit: EXIT.CONFIG, here: has("chroot") && facts.uid !== 0, message: "--chroot: only root can use it" },
    {
      exit: EXIT.CONFIG,
      here: !has("external") && Number(options.values["freshclam-monitor"] ?? "1") <= 0,
      message: "--freshclam-monitor: expected 1 second or more; the check cannot be turned off",
    },
    ...fileConflicts(options, facts),
  ];
  refuseFirst(rows);
}

function fileConflicts(options: GivenOptions, facts: StartFacts): Conflict[] {
  const rows = FILES_TO_READ.map(({ name, exit }) => {
    const problem = facts.unreadable.get(name);
    return {
      exit,
      here: problem !== undefined,
      message: `--${name}: cannot read ${options.values[name]}: ${problem}`,
    };
  });
  return [...rows, ...quarantineConflicts(options, facts.quarantineDirectory)];
}

function quarantineConflicts(options: GivenOptions, fact: DirectoryFact | null): Conflict[] {
  if (fact === null) return [];
  const name = `--quarantine-dir: ${options.values["quarantine-dir"]}`;
  if (!fact.found) return [{ exit: EXIT.USAGE, here: true, message: `${name}: ${fact.problem}` }];
  const mode = (fact.mode & 0o7777).toString(8).padStart(4, "0");
  return [
    { exit: EXIT.USAGE, here: !fact.directory, message: `${name}: expected a directory` },
    {
      exit: EXIT.CONFIG,
      here: (fact.mode & 0o077) !== 0,
      message: `${name}: insecure, its mode is ${mode}; group and others must have no right to it (chmod 0700)`,
    },
    { exit: EXIT.USAGE, here: !fact.writable, message: `${name}: the program's user cannot write to it` },
  ];
}

/**
 * Conflicts between the command line and clamd.conf (decisions 1, "Conflicts, complete").
 *
 * @throws StartError `CONFLICT` (64 or 78) for the first one; `NO_SCANNER` (78)
 */
export function refuseConfigConflicts(line: RunCommandLine, conf: ClamdConf): void {
  const { values } = line.options;
  const noPhishing = !booleanOf(conf, "PhishingSignatures");
  const rows = (["report-phish", "report-phish-false-positives"] as const).map((name) => ({
    exit: EXIT.USAGE as ExitCode,
    here: noPhishing && values[name] !== undefined,
    message: `--${name}: cannot be used with PhishingSignatures no in ${conf.file}`,
  }));
  const clamd = textOf(conf, "LocalSocket");
  const ours = line.sockets.find(
    (socket) =>
      socket.kind === "unix" && clamd !== null && posix.normalize(socket.path) === posix.normalize(clamd),
  );
  rows.push({
    exit: EXIT.CONFIG,
    here: ours !== undefined,
    message: `socket address "${ours?.text}": is clamd's own socket (LocalSocket in ${conf.file}); choose another`,
  });
  refuseFirst(rows);
  if (values.external === true) refuseSharedPort(line, conf);
}

/** The same as above for TCP: a port that we listen on cannot be the one where clamd is asked for. */
function refuseSharedPort(line: RunCommandLine, conf: ClamdConf): void {
  const loopback = /^(127\.[\d.]+|::1|localhost)$/i;
  const { servers } = externalScanners(line.options, conf);
  for (const socket of line.sockets) {
    if (socket.kind !== "inet") continue;
    const shared = servers.some((server) => {
      if (server.kind !== "tcp" || server.port !== socket.port) return false;
      return socket.host === null ? loopback.test(server.host) : socket.host === server.host;
    });
    const message = `socket address "${socket.text}": is clamd's own (TCPSocket in ${conf.file}); choose another`;
    refuseFirst([{ exit: EXIT.CONFIG, here: shared, message }]);
  }
}

function refuseFirst(rows: readonly Conflict[]): void {
  const first = rows.find((row) => row.here);
  if (first !== undefined) throw new StartError("CONFLICT", first.exit, first.message);
}
