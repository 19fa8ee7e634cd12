import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MtaConnexion, type MtaMail } from "../../scripts/load/mta-connexion.ts";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { eicar } from "../lab/eicar.ts";
import { BINARY } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { run, startNamespaced } from "../lab/process.ts";
import { PRIVATE_DEV } from "../lab/syslog.ts";
import { until } from "../lab/wait.ts";
import { startSyslogd } from "../log/syslogd.ts";

const PATIENCE = 60_000;
const folder = plainFolder();
let clamd: Clamd;

beforeAll(async () => {
  clamd = await startClamd({ folder: folder.path });
}, PATIENCE);

afterAll(async () => {
  await clamd.stop();
  folder.remove();
});

/** Ends of lines in every alphabet, terminal commands, quotes, broken and overlong UTF-8, text that turns around. */
const HOSTILE =
  "\n\r\x0b\x0c\x1b[2J\x1b]0;t\x07\"\\'`$(id)%s%n{}[],\x7f\x80\x85\x9b\xe2\x80\xa8\xe2\x80\xae\xc3\x28\xff\xfe\xed\xa0\x80" +
  '\nclamav-milter: ERROR: forged\r\n{"level":"error","message":"forged"}\n';
const HARMFUL = /[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e\ud800-\udfff]/;
const MEGABYTE = 1_048_576;

function hostileMail(number: number, body: string): MtaMail {
  return {
    sender: `<a${HOSTILE}${number}@x>`,
    recipients: [`<${HOSTILE}@y>`, `<${"r".repeat(3000)}>`],
    queueId: `q${number}${HOSTILE}`,
    // A header of 1 MB comes in pieces: no frame of the protocol is longer than 64 KB.
    headers: [
      [`X-${HOSTILE.replaceAll(":", "")}`, HOSTILE],
      ...Array.from({ length: 17 }, (): [string, string] => ["Subject", "y".repeat(60_000) + HOSTILE]),
    ],
    body: Buffer.from(body),
  };
}

async function send(socket: string, mail: MtaMail): Promise<string> {
  const mta = await MtaConnexion.open({ unix: socket });
  await mta.negotiate();
  await mta.greet({ host: `mx${HOSTILE}` });
  const { verdict } = await mta.mail(mail);
  mta.quit();
  return verdict.kind;
}

/** A header of 1 MB in one piece, which the protocol does not allow. */
async function sendHugeFrame(socket: string): Promise<void> {
  const mta = await MtaConnexion.open({ unix: socket });
  await mta.negotiate();
  const frame = Buffer.alloc(4 + 1 + MEGABYTE, HOSTILE, "latin1");
  frame.writeUInt32BE(1 + MEGABYTE, 0);
  frame.write("L", 4);
  mta.sendBytes(frame);
  await until(() => mta.closed, { what: "the connexion to be cut off" });
}

function wholeLines(text: string): string[] {
  expect(text).toEndWith("\n");
  expect(text).not.toMatch(HARMFUL);
  return text.slice(0, -1).split("\n");
}

interface Daemon {
  readonly socket: string;
  readonly pid: number;
  stop(): Promise<void>;
}

function confOf(name: string, lines: readonly string[]): string {
  const conf = join(folder.path, `${name}.conf`);
  writeFileSync(conf, [`LocalSocket ${clamd.socketPath}`, "LogClean yes", ...lines, ""].join("\n"));
  return conf;
}

/** The daemon in the background, as an init script starts it. */
async function startDaemon(name: string, lines: string[], options: readonly string[]): Promise<Daemon> {
  const socket = join(folder.path, `${name}.sock`);
  const pidFile = join(folder.path, `${name}.pid`);
  const settings = [
    "-e",
    "-q",
    "--dont-sanitise",
    "--no-check-cf",
    "-c",
    confOf(name, lines),
    "-i",
    pidFile,
    ...options,
  ];
  const ended = await run({ argv: [BINARY, ...settings, socket], deadline: 20_000 });
  expect([ended.exitCode, ended.stderr]).toEqual([0, ""]);
  const pid = Number(readFileSync(pidFile, "latin1"));
  const isGone = (): boolean => {
    try {
      return / Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
    } catch {
      return true;
    }
  };
  return {
    socket,
    pid,
    stop: async () => {
      if (!isGone()) process.kill(pid, "SIGTERM");
      await until(isGone, { what: "the daemon to end" });
    },
  };
}

describe("LogFile of a daemon in the background", () => {
  test.each(["text", "json"] as const)(
    "a hostile sender gets one well-formed line per event: %s",
    async (format) => {
      const file = join(folder.path, `${format}.log`);
      const lines = [`LogFile ${file}`, "LogFileMaxSize 0", "LogTime yes"];
      const daemon = await startDaemon(format, lines, [`--log-format=${format}`]);
      try {
        for (let at = 0; at < 4; at++) {
          const infected = at % 2 === 1;
          const came = await send(daemon.socket, hostileMail(at, infected ? eicar() : "clean\r\n"));
          expect(came).toBe(infected ? "replyCode" : "accept");
        }
        await sendHugeFrame(daemon.socket);
      } finally {
        await daemon.stop();
      }
      const written = wholeLines(readFileSync(file, "utf8"));
      for (const line of written) {
        expect(line.length).toBeLessThan(20_000);
        if (format === "json") {
          expect(JSON.parse(line)).toMatchObject({ program: "clamav-milter", pid: expect.any(Number) });
        } else expect(line).toMatch(/^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} -> /);
      }
      const having = (pattern: RegExp): number => written.filter((line) => pattern.test(line)).length;
      expect(having(/q[13].*rejected.*Eicar/)).toBe(2);
      expect(having(/q[02].*(?:clean|accepted)/)).toBe(2);
      expect(having(/connexion from .* closed: /)).toBe(1);
      // Two of the start, four of mail, one of the huge frame, two of the end: nothing else.
      expect(having(/^(?!.*(?:q\d|closed: |version|stopp)).*forged/)).toBe(0);
    },
    PATIENCE,
  );
});

function descendantsOf(pid: number): number[] {
  const found = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
  const children = found === "" ? [] : found.split(" ").map(Number);
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

test(
  "syslog of a daemon whose LogFile is clamd's: clamd goes on with it, and syslogd may be restarted",
  async () => {
    const device = join(folder.path, "syslog-socket");
    const dev = join(folder.path, "dev");
    mkdirSync(dev);
    const conf = confOf("syslog", [`LogFile ${join(folder.path, "clamd.log")}`, "LogFacility LOG_MAIL"]);
    const socket = join(folder.path, "syslog.sock");
    const messages: string[] = [];
    let syslogd = startSyslogd(device);
    // A link, not a mount: the next syslogd makes another socket.
    const setup = PRIVATE_DEV.replace(/touch "\$1\/log"\nmount --bind .*/, 'ln -s "$2" "$1/log"');
    const options = ["-e", "-q", "--dont-sanitise", "--no-check-cf", "-c", conf, socket];
    const filter = startNamespaced({
      name: "clamav-milter",
      setup,
      arguments: [dev, device],
      // The namespace goes with the first process in it, so that has to stay.
      argv: ["sh", "-c", '"$@" && echo started && sleep 600', "sh", BINARY, ...options],
    });
    const logged = (pattern: RegExp): Promise<string> =>
      until(
        () => {
          messages.push(...syslogd.read());
          return messages.find((message) => pattern.test(message));
        },
        { what: `${pattern} in syslog`, detail: () => messages.join("\n") + filter.output() },
      );
    const sendBoth = async (number: number): Promise<void> => {
      expect(await send(socket, hostileMail(number, "clean\r\n"))).toBe("accept");
      expect(await send(socket, hostileMail(number + 1, eicar()))).toBe("replyCode");
      await logged(new RegExp(`: q${number}\\D.*(?:clean|accepted)`));
      await logged(new RegExp(`: q${number + 1}\\D.*rejected virus="Eicar`));
    };
    try {
      await until(() => filter.output().includes("started"), { what: "its start", detail: filter.output });
      await logged(/ accepts mail on /);
      await logged(/LogFile \S+ is another program's, which has it locked: logging to syslog$/);
      await sendBoth(10);
      syslogd.stop();
      expect(await send(socket, hostileMail(20, eicar()))).toBe("replyCode");
      syslogd = startSyslogd(device);
      // What was said meanwhile comes, too.
      await logged(/: q20\D.*rejected/);
      await sendBoth(30);
      const child = descendantsOf(filter.pid).find((pid) =>
        readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("@child"),
      );
      process.kill(child ?? 0, "SIGKILL");
      await logged(/child \d+ was killed by SIGKILL; replaced/);
      for (let at = 40; at < 48; at += 2) await sendBoth(at);
      for (const message of messages) {
        expect(message).not.toMatch(/\n|\r/);
        expect(message).not.toMatch(HARMFUL);
        expect(message).toMatch(/^<(?:1[6-9]|2[0-3])>\w{3} [ \d]\d [\d:]{8} clamav-milter\[\d+\]: /);
      }
      const before = clamd.log().length;
      await until(
        async () =>
          (await send(socket, hostileMail(60, eicar()))) === "replyCode" && clamd.log().length > before,
        {
          what: "clamd to write its log",
        },
      );
      for (const line of clamd.log().trimEnd().split("\n")) {
        expect(line).toMatch(/^$|^\w{3} \w{3} [ \d]\d .* -> /);
        expect(line).not.toContain("forged");
        expect(line).not.toContain("rejected");
      }
    } finally {
      await filter.stop();
      syslogd.stop();
    }
  },
  PATIENCE,
);
