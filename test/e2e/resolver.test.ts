import { beforeAll, describe, expect, test } from "bun:test";
import { runInPrivateNetwork } from "../lab/private-network.ts";

interface Report {
  readonly p50: number;
  readonly p99: number;
  readonly slowestPeer: number;
  readonly peersLine: string;
  readonly peersAfter: number;
  readonly asked: number;
  readonly mxListed: string;
  readonly log: string;
}

let reports: Readonly<Record<string, Report>>;

beforeAll(async () => {
  reports = (await runInPrivateNetwork("test/e2e/resolver-scenario.ts", 90_000)) as typeof reports;
  for (const [temper, { p50, p99, slowestPeer, peersAfter, asked }] of Object.entries(reports)) {
    const figures = [`p50 ${p50.toFixed(1)} ms`, `p99 ${p99.toFixed(1)} ms`, `${asked} questions`];
    const waits = [
      `names after ${Math.round(slowestPeer)} ms`,
      `MX within ${Math.round(peersAfter)} ms of the start`,
    ];
    console.log(`name server: ${temper}: ${[...figures, ...waits].join(", ")}`);
  }
}, 100_000);

function of(temper: string): Report {
  const report = reports[temper];
  if (report === undefined) throw new Error(`no report of ${temper}`);
  return report;
}

describe.each(["silence", "garbage", "lies", "failure"])("a name server with %s", (temper) => {
  test("unrelated mail is as fast as ever", () => {
    expect(of(temper).p99 - of("truth").p99).toBeLessThan(50);
  });

  test("look-ups are given up within 5 s", () => {
    expect(of(temper).asked).toBeGreaterThan(0);
    expect(of(temper).slowestPeer).toBeLessThan(5500);
    // From the start of the program on.
    expect(of(temper).peersAfter).toBeLessThan(6500);
  });

  test("who cannot be told to be a peer is listed", () => {
    expect(of(temper).mxListed).toContain("Will blacklist 192.0.2.25 for 600 seconds because of ");
  });
});

test.each(["silence", "garbage", "failure"])("%s is told once, with what happens next", (temper) => {
  const { peersLine, log } = of(temper);
  expect(peersLine).toMatch(
    /WARNING: MX peers of mail\.lab\.example, lab\.example: .*; the known ones count, /,
  );
  expect(peersLine).toEndWith("looked up again in 60 s");
  expect(log.match(/MX peers of/g)).toHaveLength(1);
});

test("peers are exempt by A, by AAAA and by an address in the MX itself", () => {
  const { log, mxListed } = of("truth");
  for (const address of ["192.0.2.25", "2001:db8::25", "192.0.2.33"]) {
    expect(log).toContain(`: Won't blacklist ${address}\n`);
  }
  expect(mxListed).toContain("Will blacklist 192.0.2.99 for");
  expect(log.match(/Will blacklist/g)).toHaveLength(1);
});
