import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { type LyingClamd, startLyingClamd } from "../fakes/lying-clamd.ts";
import { startClamd, writeDirectives } from "../lab/clamd.ts";
import { cpuOfTree } from "../lab/cpu.ts";
import { eicarAttachment } from "../lab/eicar.ts";
import type { Filter } from "../lab/filter.ts";
import { mail } from "../lab/mail.ts";
import { freePort } from "../lab/port.ts";
import { until } from "../lab/wait.ts";
import { HOSTS, PATIENCE, pass, threeScanners } from "./three-scanners.ts";

const lab = threeScanners();
const { at, started, stopFilters, verdictOn } = lab;
const folder = { path: dirname(at("x")) };

/** A filter for all three, or for those of these hosts. */
function threefold(options: readonly string[] = [], hosts: readonly string[] = HOSTS): Promise<Filter> {
  return started(lab.servers[0]?.confPath ?? "", [`--server=${hosts.join(":")}`, ...options]);
}

const clean = (): string => mail();
/** EICAR where only a scanner that takes the mail apart finds it. */
const infected = (): string => mail({ attachments: [eicarAttachment()] });

/** What the log says of the servers, without what is said of everything else. */
function news(filter: Filter): string[] {
  const lines = filter.log().split("\n");
  return lines.filter((line) => /clamd/.test(line) && !/WARNING/.test(line));
}

function waitFor(filter: Filter, pattern: RegExp, count = 1): Promise<unknown> {
  return until(() => news(filter).filter((line) => pattern.test(line)).length >= count, {
    what: `${count} lines like ${pattern}`,
    detail: filter.log,
  });
}

/** Looks while the pauses still grow, the one that noticed it, and one for how the seconds are rounded. */
const LOOKS_AT_FIRST = 6;

/** How long the first server that came back was away, in seconds, and how often it was looked at meanwhile. */
function absence(filter: Filter): { readonly lasted: number; readonly looks: number } {
  const found = /answers again, after ([\d.]+) s and (\d+) looks in vain/.exec(filter.log());
  return { lasted: Number(found?.[1]), looks: Number(found?.[2]) };
}

/** The share of one core that a tree of processes needs: other load of the machine only ever adds to what is seen. */
async function smallestShare(pid: number): Promise<number> {
  const shares: number[] = [];
  for (let round = 0; round < 3; round++) {
    const before = cpuOfTree(pid);
    await pass(4000);
    shares.push((cpuOfTree(pid) - before) / 4);
  }
  return Math.min(...shares);
}

describe("servers that go and come", () => {
  test(
    "all gone: one line each and one for the whole, hardly any work, and mail within two seconds of a return",
    async () => {
      const filter = await threefold();
      await Promise.all(lab.servers.map((server) => server.stop()));
      await waitFor(filter, /ClamAV Down/);
      // The pauses between two looks have grown by then.
      await pass(2000);
      const share = await smallestShare(filter.pid);
      // Anything without a pause would take all of a core. It is 0.01 to 0.015; 0.0425 was seen once, beside other
      // tests, and why is not known. How often it was looked is told by the return, below.
      expect(share).toBeLessThanOrEqual(0.1);
      expect(news(filter).map((line) => line.replace(/.*ERROR: /, ""))).toEqual([
        ...HOSTS.map(() =>
          expect.stringMatching(
            /^clamd 127\.0\.0\.\d:\d+ cannot be reached: (connection refused|.* the connexion was closed)/,
          ),
        ),
        expect.stringMatching(/^no clamd server answers \(.*\): mail is deferred meanwhile \(ClamAV Down\)$/),
      ]);
      for (const host of HOSTS) expect(filter.log()).toContain(`clamd ${host}:${lab.port} cannot be reached`);

      await lab.servers[1]?.restart();
      const back = performance.now();
      await until(async () => (await verdictOn(clean())) === "accept", {
        what: "mail to flow",
        deadline: 10_000,
      });
      expect(performance.now() - back).toBeLessThan(2000);
      await waitFor(filter, /clamd 127\.0\.0\.2:\d+ answers again, after/);
      const { lasted, looks } = absence(filter);
      // The pauses grow to a second, less a fifth: a slow machine makes it fewer looks, never more.
      expect(lasted).toBeGreaterThanOrEqual(13);
      expect(looks).toBeGreaterThan(0);
      expect(looks).toBeLessThanOrEqual(lasted / 0.8 + LOOKS_AT_FIRST);
      await waitFor(filter, /is back: mail is scanned again, after/);
      await lab.servers[0]?.restart();
      await waitFor(filter, /clamd 127\.0\.0\.1:\d+ answers again, after/);
      expect(news(filter).filter((line) => / is back: /.test(line)).length).toBe(1);
      expect(await verdictOn(infected())).toBe("replyCode");
    },
    PATIENCE,
  );

  test(
    "with --dont-scan-on-error the line says what mail does meanwhile, and it does so",
    async () => {
      const filter = await threefold(["-d"], [HOSTS[0]]);
      await lab.servers[0]?.stop();
      await filter.logLine(/no clamd server answers .*: mail passes unscanned meanwhile \(ClamAV Down\)/);
      expect(await verdictOn(clean())).toBe("accept");
    },
    PATIENCE,
  );

  test(
    "one that takes connexions and is silent is told of as such, and mail goes to the others",
    async () => {
      const filter = await threefold();
      lab.servers[2]?.kill("SIGSTOP");
      await waitFor(filter, /clamd 127\.0\.0\.3:\d+ takes connexions, but does not answer/);
      for (let round = 0; round < 4; round++) expect(await verdictOn(infected())).toBe("replyCode");
      lab.servers[2]?.kill("SIGCONT");
      await waitFor(filter, /clamd 127\.0\.0\.3:\d+ answers again, after/);
      expect(news(filter).length).toBe(2);
    },
    PATIENCE,
  );

  test(
    "a keeper that dies meanwhile is followed by one that says nothing twice",
    async () => {
      const filter = await threefold([], [HOSTS[0]]);
      await lab.servers[0]?.stop();
      await waitFor(filter, /ClamAV Down/);
      const keeper = Bun.spawnSync(["pgrep", "-P", String(filter.pid), "-f", "@keeper"]).stdout.toString();
      process.kill(Number(keeper.trim()), "SIGKILL");
      await filter.logLine(/keeper \d+ was killed by SIGKILL; replaced/);
      await pass(2000);
      await lab.servers[0]?.restart();
      await waitFor(filter, /is back: mail is scanned again/);
      expect(news(filter)).toEqual([
        expect.stringMatching(/clamd \S+ cannot be reached/),
        expect.stringMatching(/no clamd server answers/),
        expect.stringMatching(/clamd \S+ answers again, after/),
        expect.stringMatching(/clamd \S+ is back/),
      ]);
    },
    PATIENCE,
  );
});

describe("a scanner that calls everything clean", () => {
  let liar: LyingClamd | null = null;
  let own = 0;

  beforeAll(async () => {
    own = await freePort("127.0.0.1", "127.0.0.2");
  });

  afterEach(() => {
    liar?.stop();
    liar = null;
  });

  /** A filter whose first server lies when it is told to. */
  async function behindLiar(hosts: string): Promise<Filter> {
    const real = { hostname: HOSTS[0], port: lab.port };
    liar = startLyingClamd({ hostname: "127.0.0.1", port: own }, real);
    writeDirectives(at("liar.conf"), { TCPSocket: String(own) });
    const found = (): number => lab.servers[0]?.log().match(/instream.* FOUND$/gm)?.length ?? 0;
    const before = found();
    const filter = await started(at("liar.conf"), [`--server=${hosts}`, "--canary=2"]);
    // The answer to the first test has been taken when the second goes out.
    await until(() => found() >= before + 2, { what: "two tests", detail: filter.log });
    return filter;
  }

  test(
    "is out of service within one round of tests, and its infected mail with it, until it finds again",
    async () => {
      const filter = await behindLiar("127.0.0.1");
      expect(await verdictOn(infected())).toBe("replyCode");
      liar?.lie(true);
      const lied = performance.now();
      await waitFor(filter, /clamd 127\.0\.0\.1:\d+ does not find the test virus any more/);
      expect(performance.now() - lied).toBeLessThan(3500);
      await waitFor(filter, /no clamd server answers \(.*: blind\)/);
      for (let round = 0; round < 3; round++) expect(await verdictOn(infected())).toBe("tempfail");
      liar?.lie(false);
      await waitFor(filter, /finds the test virus again, after/);
      expect(await verdictOn(infected())).toBe("replyCode");
      expect(news(filter).length).toBe(4);
    },
    PATIENCE,
  );

  test(
    "leaves mail to the others",
    async () => {
      const honest = await startClamd({
        folder: folder.path,
        name: "honest",
        localSocket: false,
        tcp: { addr: "127.0.0.2", port: own },
      });
      try {
        const filter = await behindLiar("127.0.0.1:127.0.0.2");
        liar?.lie(true);
        await waitFor(filter, /does not find the test virus any more/);
        const verdicts = await Promise.all(Array.from({ length: 8 }, () => verdictOn(infected())));
        expect(verdicts).toEqual(Array.from({ length: 8 }, () => "replyCode"));
        expect(filter.log()).not.toContain("ClamAV Down");
      } finally {
        await stopFilters();
        await honest.stop();
      }
    },
    PATIENCE,
  );

  test(
    "a real clamd without its temporary directory is one: what it is passed as a descriptor it calls clean",
    async () => {
      const local = await startClamd({ folder: folder.path, name: "local" });
      const temporary = at("local-tmp");
      try {
        const filter = await started(local.confPath, ["--canary=2"]);
        await until(() => /memfd:.* FOUND/.test(local.log()), {
          what: "a canary by descriptor",
          detail: local.log,
        });
        rmSync(temporary, { recursive: true });
        await waitFor(filter, /does not find the test virus any more/);
        expect(await verdictOn(infected())).toBe("tempfail");
        expect(await verdictOn(clean())).toBe("tempfail");
        mkdirSync(temporary);
        await waitFor(filter, /finds the test virus again/);
        expect(await verdictOn(infected())).toBe("replyCode");
        expect(await verdictOn(clean())).toBe("accept");
      } finally {
        await stopFilters();
        await local.stop();
      }
    },
    PATIENCE,
  );

  test(
    "one that never finds it is used, and a warning says what that means",
    async () => {
      mkdirSync(at("empty-db"), { recursive: true });
      await Bun.write(
        at("empty-db/x.ndb"),
        `Some.Thing:0:*:${Buffer.from("nobody ever writes this").toString("hex")}\n`,
      );
      const local = await startClamd({ folder: folder.path, name: "poor", database: at("empty-db") });
      try {
        const filter = await started(local.confPath, ["--canary=1"]);
        await filter.logLine(/WARNING: clamd unix:\S+ does not know the test virus EICAR/);
        expect(await verdictOn(clean())).toBe("accept");
        await pass(3000);
        expect(filter.log().match(/does not know the test virus/g)?.length).toBe(1);
      } finally {
        await stopFilters();
        await local.stop();
      }
    },
    PATIENCE,
  );
});
