import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { boundArgv, FIXED_ENV } from "../../scripts/debian/child.ts";
import { cachedPart, partCommand } from "../../scripts/debian/parts.ts";
import { lineBuffer } from "./lines.ts";
import { freePort, listensOnPort } from "./port.ts";
import { type Finished, type NamespacedProcess, runWell, startNamespaced } from "./process.ts";
import { writeProgram } from "./program-file.ts";
import { type Envelope, greet, type SendResult } from "./smtp-client.ts";
import { PRIVATE_DEV, type Syslog, startSyslog } from "./syslog.ts";
import { DEFAULT_DEADLINE, lineOf, until } from "./wait.ts";

/** How sendmail reaches a filter. */
export interface SendmailMilter {
  /** `inet:PORT@127.0.0.1` or `unix:/path` (the path below a trusted folder only). */
  readonly spec: string;
  /** What happens when the filter fails: `T` 4xx, `R` 5xx, `4` 421, empty: the mail passes. */
  readonly flags: "T" | "R" | "4" | "";
  /** `T=` of the filter; `S:10s;R:10s;C:10s;E:1m` unless told. */
  readonly timeouts?: string;
}

export interface SendmailOptions {
  /** A folder of `trustedFolder()`. */
  readonly folder: string;
  /** The filter or filters, in order; none: mail flows unfiltered. */
  readonly milter?: SendmailMilter | readonly SendmailMilter[];
  /** Port on 127.0.0.1 of the SMTP server that gets all mail. */
  readonly sinkPort: number;
  /** More lines of m4 for the end of the mc file. */
  readonly mc?: readonly string[];
  readonly deadline?: number;
}

export interface QueuedFile {
  readonly id: string;
  /** `q` waiting, `h` quarantined, `Q` lost, `d` body only. */
  readonly kind: string;
  /** The control file's text. */
  readonly text: string;
}

export interface Sendmail {
  /** SMTP port on 127.0.0.1. */
  readonly port: number;
  readonly queueFolder: string;
  /** Tries everything in the queue once and waits for the end of that. */
  runQueue(): Promise<void>;
  listQueue(): QueuedFile[];
  /** What it gives to syslog, and its output. */
  log(): string;
  /** Waits for a line of the log that matches: it is written after the answer, not before. */
  logLine(pattern: RegExp, deadline?: number): Promise<string>;
  /** Every SMTP dialogue, incoming and outgoing. */
  trace(): string;
  /** Carries a message to `sendmail -bs` over its standard streams: the filter sees a client without an address. */
  submit(envelope: Envelope): Promise<SendResult>;
  /** Runs `sendmail` with these arguments, e.g. `["-f", "a@lab.example", "b@lab.example"]`, on a message. */
  command(args: readonly string[], input?: string): Promise<Finished>;
  /** Writes a program that is this `sendmail` for whoever runs it as root, and gives its path. */
  programFile(): string;
  /** The argument vector that runs `sendmail` as `command` does. */
  argv(args: readonly string[]): string[];
  stop(): Promise<void>;
}

const PROGRAM = "usr/libexec/sendmail/sendmail";
const QUIT_GRACE = 2_000;
const HOST = "mail.lab.example";

/**
 * Starts Debian's real sendmail as a daemon on a port of 127.0.0.1, with its own configuration, queue and host
 * name, in namespaces of its own. All mail is delivered to the sink before the client gets its 250.
 * @throws code `PARTS_MISSING`, `NOT_ROOT`, `CHILD_FAILED` (m4), `WAITED_TOO_LONG`, `HOPELESS`
 */
export async function startSendmail(options: SendmailOptions): Promise<Sendmail> {
  const part = cachedPart("sendmail");
  const home = join(options.folder, "sendmail");
  const queueFolder = join(home, "queue");
  mkdirSync(home, { recursive: true });
  mkdirSync(queueFolder, { mode: 0o700 });
  mkdirSync(join(home, "dev"));
  const port = await freePort();
  const cf = await writeConfiguration(options, home, port);
  const tracePath = join(home, "trace");
  const command = (args: readonly string[]): string[] => partCommand(part, PROGRAM, ["-C", cf, ...args]);
  const syslog = await startSyslog(join(home, "syslog"));
  const daemon = startNamespaced({
    name: "sendmail",
    setup: `${PRIVATE_DEV}\nhostname "$3"`,
    arguments: [join(home, "dev"), syslog.path, HOST],
    argv: command(["-bD", "-X", tracePath]),
    cwd: home,
  });
  try {
    const listens = (): boolean => {
      daemon.demandRunning();
      return listensOnPort(port);
    };
    const { deadline = DEFAULT_DEADLINE } = options;
    await until(listens, {
      deadline,
      what: "sendmail to listen",
      detail: () => syslog.text() + daemon.output(),
    });
  } catch (error) {
    await daemon.stop();
    await syslog.stop();
    throw error;
  }
  return sendmailHandle({ daemon, syslog, port, queueFolder, tracePath, command });
}

interface Running {
  readonly daemon: NamespacedProcess;
  readonly syslog: Syslog;
  readonly port: number;
  readonly queueFolder: string;
  readonly tracePath: string;
  readonly command: (args: readonly string[]) => string[];
}

function sendmailHandle({ daemon, syslog, port, queueFolder, tracePath, command }: Running): Sendmail {
  const log = (): string => syslog.text() + daemon.output();
  const inside = (args: readonly string[], input?: string): Promise<Finished> =>
    daemon.inside({ argv: command(args), ...(input === undefined ? {} : { input }), deadline: 60_000 });
  return {
    port,
    queueFolder,
    runQueue: async () => {
      // Without -v it would go on in the background.
      await inside(["-v", "-q"]);
    },
    listQueue: () => readQueue(queueFolder),
    log,
    logLine: (pattern, deadline) => lineOf(log, pattern, deadline),
    trace: () => (existsSync(tracePath) ? readFileSync(tracePath, "latin1") : ""),
    submit: (envelope) => submitOver(daemon.enter(command(["-bs"])), envelope),
    command: inside,
    programFile: () => writeProgram(join(queueFolder, "../sendmail-program"), daemon.enter(command([]))),
    argv: (args) => daemon.enter(command(args)),
    stop: async () => {
      await daemon.stop();
      await syslog.stop();
    },
  };
}

async function submitOver(argv: string[], envelope: Envelope): Promise<SendResult> {
  const child = Bun.spawn(boundArgv(argv), {
    env: { ...FIXED_ENV },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  const lines = lineBuffer();
  const pump = async (): Promise<void> => {
    const decoder = new TextDecoder("latin1");
    for await (const chunk of child.stdout) lines.push(decoder.decode(chunk, { stream: true }));
    lines.close("sendmail -bs ended");
  };
  const pumping = pump();
  const write = (text: string): void => {
    child.stdin.write(Buffer.from(text, "latin1"));
    child.stdin.flush();
  };
  const close = (): void => {
    child.stdin.end();
  };
  try {
    const session = await greet({ write, lines, close });
    const result = await session.send(envelope);
    await session.quit();
    await Promise.race([pumping, Bun.sleep(QUIT_GRACE)]);
    return result;
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

function readQueue(folder: string): QueuedFile[] {
  return readdirSync(folder)
    .filter((name) => /^[qhQ]f/.test(name))
    .map((name) => ({
      id: name.slice(2),
      kind: name.slice(0, 1),
      text: readFileSync(join(folder, name), "latin1"),
    }));
}

/** Writes mc and cf and the small files they name. */
async function writeConfiguration(options: SendmailOptions, home: string, port: number): Promise<string> {
  const part = cachedPart("sendmail");
  const macros = join(part.root, "usr/share/sendmail/cf/");
  const mc = join(home, "lab.mc");
  writeFileSync(mc, mcText(options, home, port));
  writeFileSync(join(home, "service.switch"), "hosts files\naliases files\n");
  writeFileSync(join(home, "hosts"), `127.0.0.1 localhost ${HOST}\n`);
  writeFileSync(join(home, "local-host-names"), "");
  const m4 = partCommand(part, "usr/bin/m4", [`-D_CF_DIR_=${macros}`, join(macros, "m4/cf.m4"), mc]);
  const { stdout } = await runWell({ argv: m4 });
  const cf = join(home, "lab.cf");
  writeFileSync(cf, stdout);
  return cf;
}

function mcText(options: SendmailOptions, home: string, port: number): string {
  const milter = options.milter ?? [];
  const filters = "spec" in milter ? [milter] : milter;
  const timeouts = "S:10s;R:10s;C:10s;E:1m";
  const define = (name: string, value: string): string => `define(\`${name}', \`${value}')dnl`;
  const features = [
    "no_default_msa",
    "accept_unresolvable_domains",
    "accept_unqualified_senders",
    "nocanonify",
  ];
  return [
    "divert(0)dnl",
    "VERSIONID(`lab')dnl",
    "OSTYPE(`linux')dnl",
    ...[...features, "promiscuous_relay"].map((name) => `FEATURE(\`${name}')dnl`),
    define("QUEUE_DIR", join(home, "queue")),
    define("ALIAS_FILE", ""),
    define("confPID_FILE", join(home, "sendmail.pid")),
    define("STATUS_FILE", join(home, "statistics")),
    define("HELP_FILE", join(home, "helpfile")),
    define("confCW_FILE", `-o ${join(home, "local-host-names")}`),
    define("confSERVICE_SWITCH_FILE", join(home, "service.switch")),
    define("confHOSTS_FILE", join(home, "hosts")),
    define("confCONTROL_SOCKET_NAME", ""),
    define("confDELIVERY_MODE", "interactive"),
    define("confREFUSE_LA", "10000"),
    define("confQUEUE_LA", "10000"),
    define("confTO_IDENT", "0"),
    define("confDONT_PROBE_INTERFACES", "True"),
    define("confDOMAIN_NAME", HOST),
    define("SMART_HOST", "relay:[127.0.0.1]"),
    define("MAIL_HUB", "relay:[127.0.0.1]"),
    define("RELAY_MAILER_ARGS", `TCP $h ${options.sinkPort}`),
    `DAEMON_OPTIONS(\`Name=MTA, Family=inet, Addr=127.0.0.1, Port=${port}')dnl`,
    "MAILER(`smtp')dnl",
    ...filters.map(({ spec, flags, timeouts: own }, index) => {
      const action = flags === "" ? "" : `F=${flags}, `;
      return `INPUT_MAIL_FILTER(\`lab${index}', \`S=${spec}, ${action}T=${own ?? timeouts}')dnl`;
    }),
    ...(options.mc ?? []),
    "",
  ].join("\n");
}
