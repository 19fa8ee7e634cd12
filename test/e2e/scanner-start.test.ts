import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { writeDirectives } from "../lab/clamd.ts";
import { eicar, eicarAttachment } from "../lab/eicar.ts";
import { BINARY } from "../lab/filter.ts";
import { mail } from "../lab/mail.ts";
import { type LabProcess, run, startProcess } from "../lab/process.ts";
import { until } from "../lab/wait.ts";
import { HOSTS, PATIENCE, pass, threeScanners } from "./three-scanners.ts";

const lab = threeScanners();
const { at, verdictOn } = lab;
const infected = (): string => mail({ attachments: [eicarAttachment()] });

describe("at the start", () => {
  const argv = (...options: string[]): string[] => [
    ...[BINARY, "-e", "-q", "--no-check-cf", "-c", lab.servers[0]?.confPath ?? "", "-i", at("pid")],
    ...[...options, at("milter.sock")],
  ];
  const nothingLeft = (): boolean => !existsSync(at("pid")) && !existsSync(at("milter.sock"));

  test(
    "one of three away is named, and is reason enough not to start",
    async () => {
      await lab.servers[1]?.stop();
      const ended = await run({ argv: argv("--foreground", `-s${HOSTS.join(":")}`), deadline: 20_000 });
      expect(ended.exitCode).toBe(69);
      const lines = ended.stderr.split("\n").filter((line) => line !== "" && !line.includes("WARNING"));
      expect(lines).toEqual([
        expect.stringMatching(/^clamav-milter: clamd does not answer: 127\.0\.0\.2:\d+: connection refused/),
      ]);
      expect(ended.stderr).not.toMatch(/127\.0\.0\.[13]:/);
      expect(nothingLeft()).toBe(true);
    },
    PATIENCE,
  );

  test(
    "--wait-for-clamd waits, says so once and for whom, and goes on as soon as they answer",
    async () => {
      await Promise.all([lab.servers[1]?.stop(), lab.servers[2]?.stop()]);
      const filter = startProcess({
        name: "clamav-milter",
        argv: argv("--foreground", `-s${HOSTS.join(":")}`, "--wait-for-clamd=60"),
      });
      try {
        const said = (pattern: RegExp): Promise<boolean> =>
          until(() => pattern.test(filter.output()), { what: `${pattern}`, detail: filter.output });
        await said(/waits up to 60 s for clamd to answer: 127\.0\.0\.2:\d+, 127\.0\.0\.3:\d+\n/);
        await lab.servers[1]?.restart();
        await pass(1500);
        expect(filter.output()).not.toContain("accepts mail on");
        await lab.servers[2]?.restart();
        const back = performance.now();
        await said(/accepts mail on/);
        expect(performance.now() - back).toBeLessThan(3000);
        expect(filter.output().match(/waits up to/g)?.length).toBe(1);
        expect(await verdictOn(infected())).toBe("replyCode");
      } finally {
        await filter.stop();
      }
    },
    PATIENCE,
  );

  test(
    "the command that starts it in the background waits with it",
    async () => {
      await lab.servers[0]?.stop();
      writeDirectives(at("daemon.conf"), { TCPSocket: String(lab.port), LogFile: at("daemon.log") });
      const command = [BINARY, "-e", "-q", "--no-check-cf", "-c", at("daemon.conf"), "-i", at("pid")];
      const starting: LabProcess = startProcess({
        name: "starter",
        argv: [...command, "--wait-for-clamd=60", at("milter.sock")],
      });
      try {
        const log = (): string =>
          existsSync(at("daemon.log")) ? readFileSync(at("daemon.log"), "utf8") : "";
        await until(() => log().includes("waits up to 60 s"), { what: "the wait", detail: log });
        expect(starting.running()).toBe(true);
        await lab.servers[0]?.restart();
        expect(await starting.exited).toBe(0);
        expect(await verdictOn(infected())).toBe("replyCode");
      } finally {
        if (existsSync(at("pid"))) process.kill(Number(readFileSync(at("pid"), "latin1")), "SIGTERM");
        await until(nothingLeft, { what: "its end" });
        await starting.stop();
      }
    },
    PATIENCE,
  );

  test(
    "the wait ends with status 69 when it was in vain, and cleanly by TERM",
    async () => {
      await lab.servers[0]?.stop();
      const vain = await run({ argv: argv("--foreground", "--wait-for-clamd=2"), deadline: 20_000 });
      expect(vain.exitCode).toBe(69);
      expect(vain.stderr).toMatch(/clamd does not answer within 2 s: 127\.0\.0\.1:\d+: connection refused/);
      const filter = startProcess({
        name: "clamav-milter",
        argv: argv("--foreground", "--wait-for-clamd=60"),
      });
      await until(() => filter.output().includes("waits up to"), { what: "the wait", detail: filter.output });
      filter.signal("SIGTERM");
      expect(await filter.exited).toBe(0);
      expect(nothingLeft()).toBe(true);
    },
    PATIENCE,
  );

  test(
    "a name with several addresses leads to the one where clamd is",
    async () => {
      writeFileSync(at("hosts"), "::1 scanner\n127.0.0.9 scanner\n127.0.0.2 scanner\n127.0.0.1 localhost\n");
      // The host's own table of names is left alone.
      const inside = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        'mount --bind "$1" /etc/hosts; shift; exec "$@"',
        "sh",
      ];
      const filter = startProcess({
        name: "clamav-milter",
        argv: [...inside, at("hosts"), ...argv("--foreground", "--server=scanner")],
      });
      try {
        await until(() => filter.output().includes("accepts mail on"), {
          what: "its start",
          detail: filter.output,
        });
        for (let round = 0; round < 3; round++)
          expect(await verdictOn(mail({ body: eicar() }))).toBe("replyCode");
        expect(filter.output()).not.toContain("ERROR");
      } finally {
        await filter.stop();
      }
    },
    PATIENCE,
  );
});
