import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connectClamd } from "../../src/clamd/connect.ts";
import { parseClamdConf, textOf } from "../../src/config/clamd-conf.ts";
import { loadLibrary } from "../../src/engine/library.ts";
import { startClamd, writeDirectives } from "../../test/lab/clamd.ts";
import { writeDatabase } from "../../test/lab/database.ts";
import { eicarAttachment } from "../../test/lab/eicar.ts";
import { plainFolder } from "../../test/lab/folder.ts";
import { mail } from "../../test/lab/mail.ts";
import { freePort } from "../../test/lab/port.ts";
import { bringParts } from "../debian/parts.ts";
import { MtaConnexion, type MtaOutcome } from "../load/mta-connexion.ts";

/** The binary, as scripts/build leaves it. */
const BINARY = join(import.meta.dir, "../../dist/clamav-milter");
/** The customary port of a milter that scans for viruses; another is taken when it is in use. */
const USUAL_PORT = 7357;
const HOST_CONF = "/etc/clamav/clamd.conf";
const HOST_DATABASE = "/var/lib/clamav";
/** The real database takes a minute to load on a slow host. */
const START_PATIENCE = 180_000;

interface Scanner {
  readonly conf: string;
  /** Options and environment that go with it. */
  readonly options: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Words that ask for a clamd. */
const WITH_CLAMD = /^(-[a-zA-Z]*e|--ext|-s|--serv)/;

/** Builds a whole set-up on this machine, shows what it does, and runs it until it is told to end. */
async function main(options: readonly string[]): Promise<number> {
  const folder = plainFolder();
  const external = options.some((option) => WITH_CLAMD.test(option));
  const scanner = external
    ? ((await hostScanner()) ?? (await privateScanner(folder.path)))
    : await builtInEngine(folder.path);
  try {
    return await runFilter(scanner, options);
  } finally {
    await scanner.stop();
    folder.remove();
  }
}

/** The program scans itself, with the host's libclamav or that of Debian's package. */
async function builtInEngine(folder: string): Promise<Scanner> {
  const env: Record<string, string> = {};
  if (!hasLibrary()) {
    say("This host has no libclamav: bringing Debian's package (nothing is installed) ...");
    env.LD_LIBRARY_PATH = (await bringParts(["clamav"])).clamav.libraryPath;
  }
  const database = hostDatabase() ?? writeDatabase(join(folder, "database"));
  if (hostDatabase() === null) tellSmallDatabase();
  else say(`Loading the virus database of ${database} (this can take a minute) ...`);
  const conf = join(folder, "clamd.conf");
  writeDirectives(conf, { DatabaseDirectory: database });
  return { conf, options: [], env, stop: async () => {} };
}

function hasLibrary(): boolean {
  try {
    loadLibrary();
    return true;
  } catch {
    return false;
  }
}

/** The host's own clamd, if it has one that answers. It is asked for its version and for scans, nothing else. */
async function hostScanner(): Promise<Scanner | null> {
  if (!existsSync(HOST_CONF)) return null;
  try {
    const path = textOf(parseClamdConf(readFileSync(HOST_CONF, "utf8"), HOST_CONF), "LocalSocket");
    if (path === null) return null;
    const session = await connectClamd({ kind: "unix", path, name: path }, 2000, () => {});
    say(`Using this host's clamd: ${await session.version()} on ${path}`);
    session.quit();
    return { conf: HOST_CONF, options: ["--external"], env: {}, stop: async () => {} };
  } catch (error) {
    say(`This host has a ${HOST_CONF}, but its clamd cannot be used: ${reasonOf(error)}`);
    return null;
  }
}

async function privateScanner(folder: string): Promise<Scanner> {
  say(
    "No clamd of this host answers: bringing a private one from Debian's package (nothing is installed) ...",
  );
  await bringParts(["clamav"]);
  const database = hostDatabase();
  if (database === null) tellSmallDatabase();
  else say(`Loading the virus database of ${database} (this can take a minute) ...`);
  const clamd = await startClamd({
    folder,
    deadline: 180_000,
    ...(database === null ? {} : { database }),
  });
  return { conf: clamd.confPath, options: ["--external"], env: {}, stop: () => clamd.stop() };
}

function tellSmallDatabase(): void {
  say(
    `This host has no virus database in ${HOST_DATABASE}: using a small one that knows the EICAR test file only.`,
  );
  say("For real use install and run freshclam.");
}

/** The host's database folder, if freshclam has filled it. */
function hostDatabase(): string | null {
  if (!existsSync(HOST_DATABASE)) return null;
  const found = readdirSync(HOST_DATABASE).some((name) => /^(main|daily)\.c[lv]d$/.test(name));
  return found ? HOST_DATABASE : null;
}

async function runFilter(scanner: Scanner, options: readonly string[]): Promise<number> {
  const port = await usablePort();
  // What is asked for by the user stands last: it counts.
  const own = scanner.options.filter((option) => !options.includes(option));
  const argv = ["--foreground", ...own, "-o", "-l", "-q", "-c", scanner.conf, ...options];
  const address = `inet:${port}@127.0.0.1`;
  say(`\n$ dist/clamav-milter ${[...argv, address].join(" ")}`);
  const env = { ...process.env, ...scanner.env };
  const filter = Bun.spawn([BINARY, ...argv, address], { env, stdio: ["ignore", "inherit", "inherit"] });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => filter.kill("SIGTERM"));
  const accepting = await firstAnswer(port, () => filter.exitCode !== null);
  if (accepting === null) return filter.exited;
  tellMtaLines(port);
  await show(accepting, "A clean message", mail({ subject: "hello" }));
  await show(accepting, "A message with the EICAR test file", mail({ attachments: [eicarAttachment()] }));
  accepting.quit();
  if (process.stdin.isTTY !== true) {
    say("\nNobody is at a terminal: done. (The filter goes on when this is run from one.)");
    filter.kill("SIGTERM");
  } else say("\nThe filter is running. End it with Ctrl-C.");
  return filter.exited;
}

async function usablePort(): Promise<number> {
  try {
    Bun.listen({ hostname: "127.0.0.1", port: USUAL_PORT, socket: { data() {} } }).stop(true);
    return USUAL_PORT;
  } catch {
    return freePort();
  }
}

/** An MTA's connexion to the filter, as soon as it accepts one; null when it has ended instead. */
async function firstAnswer(port: number, ended: () => boolean): Promise<MtaConnexion | null> {
  const end = performance.now() + START_PATIENCE;
  while (!ended() && performance.now() < end) {
    try {
      const mta = await MtaConnexion.open({ hostname: "127.0.0.1", port });
      await mta.negotiate();
      await mta.greet();
      return mta;
    } catch {
      await Bun.sleep(50);
    }
  }
  return null;
}

async function show(mta: MtaConnexion, what: string, text: string): Promise<void> {
  const at = text.indexOf("\r\n\r\n");
  const headers = text
    .slice(0, at)
    .replaceAll(/\r\n[ \t]/g, " ")
    .split("\r\n")
    .map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
  const outcome = await mta.mail({ headers, body: Buffer.from(text.slice(at + 4), "latin1") });
  say(`\n${what} goes through:`);
  for (const line of answerLines(outcome)) say(`  ${line}`);
}

function answerLines({ verdict, modifications }: MtaOutcome): string[] {
  const changes = modifications.flatMap((change) =>
    change.kind === "addHeader" ? [`added   ${change.name}:${change.value}`] : [],
  );
  return [...changes, verdict.kind === "replyCode" ? `refused ${verdict.text}` : `answer  ${verdict.kind}`];
}

function tellMtaLines(port: number): void {
  say(`
For sendmail, in sendmail.mc (mail is deferred while the filter is away):
  INPUT_MAIL_FILTER(\`clamav', \`S=inet:${port}@127.0.0.1, F=T, T=C:1m;S:1m;R:2m;E:5m')dnl
For Postfix, in main.cf:
  smtpd_milters = inet:127.0.0.1:${port}
  non_smtpd_milters = $smtpd_milters
  milter_default_action = tempfail`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

process.exitCode = await main(process.argv.slice(2));
