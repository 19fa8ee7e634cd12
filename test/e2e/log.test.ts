import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MtaConnexion, type MtaMail } from "../../scripts/load/mta-connexion.ts";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { eicar } from "../lab/eicar.ts";
import { BINARY, startFilter } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { startNamespaced } from "../lab/process.ts";
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

function withConf(name: string, lines: string): string {
  const path = join(folder.path, `${name}.conf`);
  writeFileSync(path, `LocalSocket ${clamd.socketPath}\n${lines}\n`);
  return path;
}

const SECRET = "this stands in the body";
const HOSTILE: MtaMail = {
  sender: '<a\x1b[2J\n"b\u202e@x>',
  recipients: [`<${"r".repeat(3000)}>`, '<"},{"\xff@b>'],
  headers: [
    ["Subject", `\x1b]0;title\x07 ${"y".repeat(50_000)}`],
    ["X-\u2028", "\xc3\x28\n clamav-milter: ERROR: forged"],
  ],
  body: Buffer.from(`${SECRET}\r\n${eicar()}`),
};

async function send(socket: string, mail: MtaMail): Promise<string> {
  const mta = await MtaConnexion.open({ unix: socket });
  await mta.negotiate();
  await mta.greet();
  const { verdict } = await mta.mail(mail);
  mta.quit();
  return verdict.kind;
}

const HARMFUL = /[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e]/;

describe("under a hostile sender, with everything traced", () => {
  test.each(["json", "text"] as const)(
    "standard error and LogFile are whole lines: %s",
    async (format) => {
      const socket = join(folder.path, `${format}.sock`);
      const file = join(folder.path, `${format}.log`);
      const filter = await startFilter({
        conf: withConf(format, `LogFile ${file}\nLogFileMaxSize 0\nLogClean yes\nLogVerbose yes`),
        sockets: [socket],
        options: ["-q", "-x9", `--log-format=${format}`],
      });
      try {
        expect(await send(socket, HOSTILE)).toBe("replyCode");
      } finally {
        await filter.stop();
      }
      for (const text of [filter.log(), readFileSync(file, "utf8")]) {
        expect(text).toEndWith("\n");
        expect(text).not.toMatch(HARMFUL);
        expect(text).not.toContain(SECRET);
        expect(text).toContain("header: Subject:");
        const lines = text.slice(0, -1).split("\n");
        for (const line of lines) {
          if (format === "text") expect(line).toStartWith("clamav-milter: ");
          else expect(JSON.parse(line)).toMatchObject({ program: "clamav-milter", pid: expect.any(Number) });
        }
        expect(lines.filter((line) => line.includes("Eicar") && line.includes("rejected"))).toHaveLength(1);
      }
      expect(filter.log().trimEnd().split("\n").sort()).toEqual(
        readFileSync(file, "utf8").trimEnd().split("\n").sort(),
      );
    },
    PATIENCE,
  );
});

test(
  "clamd's own LogFile is left to it: the log goes to syslog",
  async () => {
    const device = join(folder.path, "syslog-socket");
    const dev = join(folder.path, "dev");
    mkdirSync(dev);
    const file = join(folder.path, "clamd.log");
    const conf = withConf("locked", `LogFile ${file}\nLogFacility LOG_MAIL`);
    const socket = join(folder.path, "locked.sock");
    const syslogd = startSyslogd(device);
    const messages: string[] = [];
    const logged = (pattern: RegExp): Promise<string> =>
      until(
        () => {
          messages.push(...syslogd.read());
          return messages.find((message) => pattern.test(message));
        },
        { what: `${pattern} in syslog`, detail: () => messages.join("\n") },
      );
    const filter = startNamespaced({
      name: "clamav-milter",
      setup: PRIVATE_DEV,
      arguments: [dev, device],
      argv: [BINARY, "--foreground", "--external", "-q", "-c", conf, socket],
    });
    try {
      expect(await logged(/ accepts mail on /)).toMatch(
        /^<22>\w{3} [ \d]\d [\d:]{8} clamav-milter\[\d+\]: version /,
      );
      await logged(/LogFile \S+ is another program's, which has it locked: logging to syslog$/);
      expect(await send(socket, HOSTILE)).toBe("replyCode");
      await logged(/: \S+: rejected virus="Eicar/);
      expect(messages.join("")).not.toMatch(HARMFUL);
      await until(() => filter.output().includes("rejected virus="), { what: "the line on standard error" });
      for (const line of clamd.log().trimEnd().split("\n"))
        expect(line).toMatch(/^$|^\w{3} \w{3} [ \d]\d .* -> /);
    } finally {
      await filter.stop();
      syslogd.stop();
    }
  },
  PATIENCE,
);
