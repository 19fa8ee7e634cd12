import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MtaOutcome } from "../../scripts/load/mta-connexion.ts";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { type Answer, type FakeClamd, startFakeClamd } from "../fakes/clamd.ts";
import { type Clamd, type Directives, startClamd } from "../lab/clamd.ts";
import { eicar } from "../lab/eicar.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { freePort } from "../lab/port.ts";
import { until } from "../lab/wait.ts";

const FAKE = "127.0.0.1";
const REAL = "127.0.0.2";
const folder = plainFolder();
let port = 0;
const open: { stop(): unknown }[] = [];

beforeAll(async () => {
  port = await freePort(FAKE, REAL);
  open.push(
    await startClamd({ folder: folder.path, localSocket: false, tcp: { addr: REAL, port }, name: "real" }),
  );
}, 60_000);

afterAll(async () => {
  for (const each of open.reverse()) await each.stop();
  folder.remove();
}, 60_000);

async function started(name: string, lines: readonly string[], options: readonly string[]) {
  const conf = join(folder.path, `${name}.conf`);
  writeFileSync(conf, `${[...lines, "LogFileMaxSize 0"].join("\n")}\n`);
  const socket = join(folder.path, `${name}.sock`);
  const filter: Filter = await startFilter({ conf, sockets: [socket], options: ["-q", ...options] });
  open.push(filter);
  return { filter, socket };
}

async function send(socket: string, body: string | Uint8Array): Promise<MtaOutcome> {
  const mta = await MtaConnexion.open({ unix: socket });
  await mta.negotiate();
  await mta.greet();
  const outcome = await mta.mail({ headers: [["Subject", crypto.randomUUID()]], body: Buffer.from(body) });
  mta.quit();
  return outcome;
}

/** The status header that was added, or the verdict's kind. */
function statusOf({ verdict, modifications }: MtaOutcome): string {
  for (const change of modifications) {
    if (change.kind === "addHeader" && change.name === "X-Virus-Status") return change.value.trim();
  }
  return verdict.kind;
}

describe("a clamd that talks nonsense", () => {
  const MEGABYTE = "x".repeat(1024 * 1024);
  const answers: Readonly<Record<string, Answer>> = {
    "another number": { raw: "77: stream: OK\0" },
    "number 0": { raw: "0: stream: OK\0" },
    "no number": { raw: "stream: OK\0" },
    "half a line, then the end": { raw: "%id: stream: O", close: true },
    "1 MB of text": { raw: MEGABYTE },
    "1 MB of text with its number": { raw: `%id: stream: ${MEGABYTE}\0` },
    garbage: { raw: String.fromCharCode(...Array.from({ length: 256 }, (_, at) => 255 - at)) },
    "OK with something behind": { raw: "%id: stream: OK but\0" },
    "OK for another thing": { raw: "%id: /etc/passwd: OK\0" },
    ERROR: { raw: "%id: stream: Can't allocate memory ERROR\0" },
    "UNKNOWN COMMAND": { raw: "UNKNOWN COMMAND\0" },
    "the end at once": { raw: "", close: true },
    nothing: { silence: true },
  };
  let answer: Answer = { silence: true };
  let closeAfter = Number.POSITIVE_INFINITY;
  let fake: FakeClamd;
  let socket = "";
  let filter: Filter;

  beforeAll(async () => {
    fake = startFakeClamd(
      { hostname: FAKE, port },
      () => answer,
      () => closeAfter,
    );
    open.push(fake);
    const list = ["-s", `${FAKE}:${REAL}`];
    ({ filter, socket } = await started("nonsense", [`TCPSocket ${port}`, "ReadTimeout 3"], list));
  }, 60_000);

  /** Sends until the fake was asked, clean and infected in turn; every verdict must be the real clamd's. */
  async function expectRealVerdicts(): Promise<void> {
    const before = fake.streams;
    for (let at = 0; fake.streams < before + 2; at++) {
      expect(statusOf(await send(socket, at % 2 === 0 ? "hello" : eicar()))).toBe(
        at % 2 === 0 ? "Clean" : "replyCode",
      );
      // The server is left alone for a while after each failure.
      if (at % 4 === 3) await Bun.sleep(200);
    }
    expect(fake.reused).toBe(0);
  }

  test.each(Object.entries(answers))(
    "%s: the other one's verdict, and the session is not used again",
    async (_name, given) => {
      answer = given;
      await expectRealVerdicts();
    },
    60_000,
  );

  test.each([0, 1, 100, 5_000])(
    "the end after %p bytes: the other one's verdict",
    async (bytes) => {
      closeAfter = bytes;
      for (const [body, status] of [
        ["y".repeat(20_000), "Clean"],
        [`${"y".repeat(20_000)}${eicar()}`, "replyCode"],
      ] as const) {
        for (let at = 0; at < 3; at++) expect(statusOf(await send(socket, body))).toBe(status);
      }
      closeAfter = Number.POSITIVE_INFINITY;
    },
    60_000,
  );

  test("FOUND inside a name: the whole name", async () => {
    answer = { say: "stream: X FOUND stream: OK FOUND" };
    // The real clamd gets the others.
    const verdict = await until(
      async () => {
        const before = fake.streams;
        const { verdict } = await send(socket, "hello");
        return fake.streams > before && verdict;
      },
      { what: "a message to go to the fake clamd" },
    );
    expect(verdict).toMatchObject({ kind: "replyCode" });
    expect(JSON.stringify(verdict)).toContain("virus X FOUND stream: OK detected");
  }, 60_000);

  test("and never was a fault of ours seen", () => {
    expect(filter.log()).not.toMatch(/fault of this program|tempfailed/);
  });
});

const LIMITED: Directives = {
  StreamMaxLength: "100K",
  MaxScanSize: "60K",
  MaxFileSize: "60K",
  AlertExceedsMax: "yes",
};
const KILOBYTE = "0123456789abcde\n".repeat(64);

describe("a message that is too large", () => {
  let limited: Clamd;
  beforeAll(async () => {
    limited = await startClamd({ folder: folder.path, name: "limited", conf: LIMITED });
    open.push(limited);
  }, 60_000);

  /** Sizes in kB: over our own limit, over clamd's for streams, over clamd's for what it scans. */
  const sizes: readonly (readonly [string, number, string])[] = [
    ["our own limit", 250, "StreamMaxLength exceeded"],
    ["clamd's limit", 150, "StreamMaxLength exceeded"],
    ["the scanner's limit", 80, "Heuristics.Limits.Exceeded.MaxFileSize"],
  ];
  const outcomes = [
    ["accept", null, "not scanned"],
    ["tempfail", "452 4.3.4 message is too large to be scanned for viruses", "tempfailed"],
    ["reject", "552 5.3.4 message is too large to be scanned for viruses", "rejected"],
  ] as const;

  test.each(outcomes)(
    "--on-oversize=%s, for each of the limits, and never Clean",
    async (mode, reply, logged) => {
      const { filter, socket } = await started(
        `oversize-${mode}`,
        // Streamed: a passed descriptor knows no limit of streams.
        [`TCPSocket ${await limitedPort()}`, "MaxScanSize 0", "MaxFileSize 0"],
        [`--on-oversize=${mode}`, "--max-message-size=200K", "-s", "127.0.0.1"],
      );
      for (const [, kilobytes, reason] of sizes) {
        const outcome = await send(socket, KILOBYTE.repeat(kilobytes));
        if (reply === null) expect(statusOf(outcome)).toBe(`Not Scanned - ${reason}`);
        else expect(outcome.verdict).toEqual({ kind: "replyCode", text: reply } as typeof outcome.verdict);
        await filter.logLine(new RegExp(`: ${logged} reason="${reason}" .*size=${kilobytes * 1024 + 49} `));
      }
      expect(statusOf(await send(socket, "hello"))).toBe("Clean");
      await filter.stop();
    },
    60_000,
  );

  test("a second one of clamd's limit is not even sent to it", async () => {
    const before = (limited.log().match(/size limit/gi) ?? []).length;
    const { filter, socket } = await started(
      "oversize-known",
      [`TCPSocket ${await limitedPort()}`, "MaxScanSize 0", "MaxFileSize 0"],
      ["-s", "127.0.0.1", "--max-message-size=10M"],
    );
    // Each child finds out for itself.
    for (let at = 0; at < 8; at++) {
      const status = statusOf(await send(socket, KILOBYTE.repeat(2_000)));
      expect(status).toBe("Not Scanned - StreamMaxLength exceeded");
    }
    expect((limited.log().match(/size limit/gi) ?? []).length - before).toBeLessThanOrEqual(
      filter.children().length,
    );
    await filter.stop();
  }, 60_000);

  let limitedByTcp: Promise<Clamd> | null = null;
  async function limitedPort(): Promise<number> {
    limitedByTcp ??= startClamd({
      folder: folder.path,
      name: "limited-tcp",
      localSocket: false,
      tcp: true,
      conf: LIMITED,
    });
    const clamd = await limitedByTcp;
    if (!open.includes(clamd)) open.push(clamd);
    return clamd.tcpPort;
  }
});

test("with ReadTimeout 5 and a queue of slow scans no session is cut off", async () => {
  const slow = await startClamd({
    folder: folder.path,
    name: "slow",
    conf: {
      ReadTimeout: "5",
      MaxThreads: "1",
      StreamMaxLength: "100M",
      MaxScanTime: "0",
      DisableCache: "yes",
    },
  });
  open.push(slow);
  const { filter, socket } = await started(
    "slow-filter",
    [`LocalSocket ${slow.socketPath}`, "ReadTimeout 110", "MaxThreads 30"],
    ["-m", "30"],
  );
  const began = performance.now();
  const body = Buffer.alloc(12 * 1024 * 1024, `${KILOBYTE}<html><a href="http://x.example/">x</a>\r\n`);
  const sent = Array.from({ length: 16 }, () => send(socket, body));
  expect(new Set((await Promise.all(sent)).map(statusOf))).toEqual(new Set(["Clean"]));
  // Else nothing was shown.
  expect(performance.now() - began).toBeGreaterThan(5_000);
  expect(slow.log()).not.toContain("TIMED OUT");
  expect(filter.log()).not.toMatch(/tempfailed/);
  await filter.stop();
}, 120_000);
