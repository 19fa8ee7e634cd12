import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { failure } from "../../scripts/debian/failure.ts";
import { cachedPart, type Part, partCommand } from "../../scripts/debian/parts.ts";
import { type Accounts, writePostfixAccounts } from "./accounts.ts";
import { freePort, listensOnPort } from "./port.ts";
import { type Finished, type NamespacedProcess, startNamespaced } from "./process.ts";
import { writeProgram } from "./program-file.ts";
import { PRIVATE_DEV, type Syslog, startSyslog } from "./syslog.ts";
import { DEFAULT_DEADLINE, lineOf, until } from "./wait.ts";

export interface PostfixOptions {
  /** A folder of `trustedFolder()`. */
  readonly folder: string;
  /** The filter in Postfix's form, `inet:127.0.0.1:PORT` or `unix:/path`; none: mail flows unfiltered. */
  readonly milter?: string;
  /** Port on 127.0.0.1 of the SMTP server that gets all mail. */
  readonly sinkPort: number;
  /** Filter mail from the `sendmail` command too; false unless told. */
  readonly nonSmtpdMilter?: boolean;
  /** More parameters for main.cf; they replace the lab's own of the same name. */
  readonly params?: Readonly<Record<string, string>>;
  readonly deadline?: number;
}

/** A message in Postfix's queue, as `postqueue -j` tells it. */
export interface QueuedMail {
  readonly queue_name: string;
  readonly queue_id: string;
  readonly sender: string;
  readonly recipients: readonly { readonly address: string; readonly delay_reason?: string }[];
}

export interface Postfix {
  /** SMTP port on 127.0.0.1; every client may pretend to be another with XCLIENT. */
  readonly port: number;
  readonly queueFolder: string;
  /** Its mail log. */
  log(): string;
  /** Waits for a line of the log that matches: it is written after the answer, not before. */
  logLine(pattern: RegExp, deadline?: number): Promise<string>;
  /** Tries everything in the queue again, messages waiting for pickup included. */
  flush(): Promise<void>;
  /** Everything in the queue; quarantined mail has the queue name `hold`. */
  listQueue(): Promise<QueuedMail[]>;
  /** Runs Postfix's `sendmail` as root with these arguments on a message: a local submission. */
  sendmailCommand(args: readonly string[], input: string): Promise<Finished>;
  /** Writes a program that is this Postfix's `sendmail` for whoever runs it as root, and gives its path. */
  programFile(): string;
  stop(): Promise<void>;
}

const HOST = "mail.lab.example";

/**
 * Starts Debian's real Postfix with its own configuration, queue, log and users, in namespaces of its own: the
 * accounts it needs are seen by nobody else. All mail goes to the sink.
 * @throws code `PARTS_MISSING`, `NOT_ROOT`, `WAITED_TOO_LONG`, `HOPELESS`, the last two with its log
 */
export async function startPostfix(options: PostfixOptions): Promise<Postfix> {
  const part = cachedPart("postfix");
  const home = join(options.folder, "postfix");
  if (process.getuid?.() !== 0) throw failure("NOT_ROOT", "Postfix needs root");
  for (const name of ["etc", "dev"]) mkdirSync(join(home, name), { recursive: true });
  const accounts = writePostfixAccounts(home);
  makeFolders(home, accounts);
  const port = await freePort();
  writeOld(join(home, "etc/main.cf"), mainCf(options, part, home));
  writeOld(join(home, "etc/master.cf"), masterCf(port));
  const logPath = join(home, "mail.log");
  const syslog = await startSyslog(join(home, "syslog"));
  const daemon = startMaster(part, home, accounts, syslog.path);
  const log = (): string => (existsSync(logPath) ? readFileSync(logPath, "latin1") : "");
  const allLogs = (): string => log() + syslog.text() + daemon.output();
  try {
    const listens = (): boolean => {
      daemon.demandRunning();
      return listensOnPort(port) && log().includes("daemon started");
    };
    const { deadline = DEFAULT_DEADLINE } = options;
    await until(listens, { deadline, what: "Postfix to listen", detail: allLogs });
  } catch (error) {
    await daemon.stop();
    await syslog.stop();
    throw error;
  }
  return postfixHandle({ part, home, port, daemon, syslog, log: allLogs });
}

/** Postfix waits until its configuration is two seconds old, for fear that somebody is still writing it. */
function writeOld(path: string, text: string): void {
  writeFileSync(path, text);
  const old = Date.now() / 1000 - 60;
  utimesSync(path, old, old);
}

const PRIVATE_QUEUES = [
  "active",
  "bounce",
  "corrupt",
  "defer",
  "deferred",
  "flush",
  "hold",
  "incoming",
  "private",
];

/**
 * Makes the folders `postfix start` would make. That command is not used: it looks at the host's own /etc/postfix, and
 * sets owners and modes of the unpacked programs.
 */
function makeFolders(home: string, { postfixUid, postdropGid }: Accounts): void {
  const make = (name: string, mode: number, uid: number, gid: number): void => {
    const path = join(home, name);
    mkdirSync(path);
    chownSync(path, uid, gid);
    chmodSync(path, mode);
  };
  make("data", 0o700, postfixUid, 0);
  make("queue", 0o755, 0, 0);
  make("queue/pid", 0o755, 0, 0);
  for (const name of [...PRIVATE_QUEUES, "saved", "trace"]) make(`queue/${name}`, 0o700, postfixUid, 0);
  make("queue/maildrop", 0o730, postfixUid, postdropGid);
  make("queue/public", 0o710, postfixUid, postdropGid);
}

/** Bind mounts of the private account files: `$3` passwd, `$4` group, `$5` nsswitch.conf. */
const PRIVATE_ACCOUNTS = `mount --bind "$3" /etc/passwd
mount --bind "$4" /etc/group
mount --bind "$5" /etc/nsswitch.conf
if [ -d /run/nscd ]; then mount -t tmpfs none /run/nscd; fi`;

function startMaster(part: Part, home: string, accounts: Accounts, syslog: string): NamespacedProcess {
  return startNamespaced({
    name: "postfix",
    setup: `${PRIVATE_DEV}\n${PRIVATE_ACCOUNTS}`,
    arguments: [join(home, "dev"), syslog, accounts.passwd, accounts.group, accounts.nsswitch],
    argv: partCommand(part, "usr/lib/postfix/sbin/master", ["-c", join(home, "etc"), "-s"]),
    cwd: home,
  });
}

interface Running {
  readonly part: Part;
  readonly home: string;
  readonly port: number;
  readonly daemon: NamespacedProcess;
  readonly syslog: Syslog;
  readonly log: () => string;
}

function postfixHandle({ part, home, port, daemon, syslog, log }: Running): Postfix {
  const etc = join(home, "etc");
  const inside = async (program: string, args: readonly string[], input?: string): Promise<Finished> =>
    daemon.inside({
      argv: partCommand(part, `usr/sbin/${program}`, args),
      env: { MAIL_CONFIG: etc },
      ...(input === undefined ? {} : { input }),
    });
  return {
    port,
    queueFolder: join(home, "queue"),
    log,
    logLine: (pattern, deadline) => lineOf(log, pattern, deadline),
    flush: async () => {
      await inside("postkick", ["-c", etc, "public", "pickup", "W"]);
      await inside("postqueue", ["-c", etc, "-f"]);
    },
    listQueue: async () => {
      const { stdout } = await inside("postqueue", ["-c", etc, "-j"]);
      const lines = stdout.split("\n").filter((line) => line !== "");
      return lines.map((line) => JSON.parse(line) as QueuedMail);
    },
    programFile: () => {
      const [env = "env", ...rest] = partCommand(part, "usr/sbin/sendmail", ["-C", etc]);
      return writeProgram(join(home, "sendmail-program"), daemon.enter([env, `MAIL_CONFIG=${etc}`, ...rest]));
    },
    sendmailCommand: (args, input) => inside("sendmail", ["-C", etc, ...args], input),
    stop: async () => {
      await daemon.stop();
      await syslog.stop();
    },
  };
}

function mainCf(options: PostfixOptions, part: Part, home: string): string {
  const milter = options.milter ?? "";
  const params: Record<string, string> = {
    compatibility_level: "3.6",
    queue_directory: join(home, "queue"),
    data_directory: join(home, "data"),
    command_directory: join(part.root, "usr/sbin"),
    daemon_directory: join(part.root, "usr/lib/postfix/sbin"),
    meta_directory: join(part.root, "etc/postfix"),
    shlib_directory: join(part.root, "usr/lib/postfix"),
    sendmail_path: join(part.root, "usr/sbin/sendmail"),
    // The daemons start from an environment of their own; without this they would not find their libraries.
    import_environment: `MAIL_CONFIG LANG=C LD_LIBRARY_PATH=${part.libraryPath}`,
    // The same for what the sendmail command starts.
    export_environment: `MAIL_CONFIG LANG=C LD_LIBRARY_PATH=${part.libraryPath}`,
    maillog_file: join(home, "mail.log"),
    maillog_file_prefixes: home,
    myhostname: HOST,
    mydestination: "",
    myorigin: HOST,
    mynetworks: "0.0.0.0/0 [::]/0",
    inet_interfaces: "127.0.0.1",
    inet_protocols: "all",
    relayhost: `[127.0.0.1]:${options.sinkPort}`,
    smtp_dns_support_level: "disabled",
    smtp_host_lookup: "native",
    smtpd_relay_restrictions: "permit_mynetworks, reject_unauth_destination",
    smtpd_authorized_xclient_hosts: "127.0.0.1",
    smtpd_milters: milter,
    non_smtpd_milters: options.nonSmtpdMilter === true ? milter : "",
    milter_default_action: "tempfail",
    alias_maps: "",
    alias_database: "",
    biff: "no",
    ...options.params,
  };
  return Object.entries(params)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join("");
}

/** The services of Debian's own master.cf that mail passes, none of them in a chroot jail. */
function masterCf(port: number): string {
  const services = [
    `127.0.0.1:${port} inet n - n - - smtpd`,
    "pickup unix n - n 60 1 pickup",
    "cleanup unix n - n - 0 cleanup",
    "qmgr unix n - n 300 1 qmgr",
    "tlsmgr unix - - n 1000? 1 tlsmgr",
    "rewrite unix - - n - - trivial-rewrite",
    "bounce unix - - n - 0 bounce",
    "defer unix - - n - 0 bounce",
    "trace unix - - n - 0 bounce",
    "verify unix - - n - 1 verify",
    "flush unix n - n 1000? 0 flush",
    "proxymap unix - - n - - proxymap",
    "proxywrite unix - - n - 1 proxymap",
    "smtp unix - - n - - smtp",
    "relay unix - - n - - smtp",
    "showq unix n - n - - showq",
    "error unix - - n - - error",
    "retry unix - - n - - error",
    "discard unix - - n - - discard",
    "anvil unix - - n - 1 anvil",
    "scache unix - - n - 1 scache",
    "postlog unix-dgram n - n - 1 postlogd",
  ];
  return `${services.join("\n")}\n`;
}
