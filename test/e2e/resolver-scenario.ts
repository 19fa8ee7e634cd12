/**
 * The filter with name servers that are away, lie or talk nonsense: run in a network of its own by resolver.test.ts.
 * Prints for each kind of name server how long unrelated mail took, when look-ups were given up, and the log.
 */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { ALL_ACTIONS } from "../../src/milter/codes.ts";
import { encodeCommand } from "../../src/milter/mta-codec.ts";
import { startNameServer, type Temper, type Zone } from "../fakes/name-server.ts";
import { startClamd } from "../lab/clamd.ts";
import { eicar } from "../lab/eicar.ts";
import { BINARY } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { freePort } from "../lab/port.ts";
import { addLoopbackAddresses } from "../lab/private-network.ts";
import { startNamespaced } from "../lab/process.ts";
import { lineOf } from "../lab/wait.ts";
import { judge } from "./policy-mta.ts";

const TEMPERS: readonly Temper[] = ["truth", "silence", "garbage", "lies", "failure"];
const ZONE: Zone = {
  mx: { "lab.example": ["mx1.lab.example", "192.0.2.33"], "mail.lab.example": [] },
  a: { "mx1.lab.example": ["192.0.2.25"] },
  aaaa: { "mx1.lab.example": ["20010db8000000000000000000000025"] },
};
const MAILS = 300;
const PEERS = 40;

addLoopbackAddresses([]);
const folder = plainFolder();
const clamd = await startClamd({ folder: folder.path });

/** An /etc whose only name server is the one at that address. */
function etcFor(temper: Temper, server: string): string {
  const etc = join(folder.path, temper);
  mkdirSync(etc);
  for (const name of ["passwd", "group"]) copyFileSync(`/etc/${name}`, join(etc, name));
  writeFileSync(join(etc, "nsswitch.conf"), "hosts: files dns\npasswd: files\ngroup: files\n");
  writeFileSync(join(etc, "resolv.conf"), `nameserver ${server}\n`);
  writeFileSync(join(etc, "hosts"), "127.0.0.1 localhost\n");
  writeFileSync(join(etc, "hosts.allow"), "");
  // Nobody is denied who has a name; who has none is UNKNOWN after a look-up.
  writeFileSync(join(etc, "hosts.deny"), "clamav-milter: .denied.example UNKNOWN\n");
  return etc;
}

/** How long, in milliseconds, a peer that needs a name look-up waits for its answer. */
function peerDelay(port: number, localAddress: string): Promise<number> {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", localAddress });
    socket.on("error", reject);
    socket.on("data", () => {
      resolve(performance.now() - begun);
      socket.destroy();
    });
    socket.write(encodeCommand({ kind: "negotiate", version: 6, actions: ALL_ACTIONS, steps: 0 }));
  });
}

/** Milliseconds of each of many mails, one after the other. */
async function mailDelays(unix: string): Promise<number[]> {
  const mta = await MtaConnexion.open({ unix });
  await mta.negotiate();
  await mta.greet();
  const delays: number[] = [];
  for (let at = 0; at < MAILS; at++) {
    const begun = performance.now();
    const { verdict } = await mta.mail({
      headers: [["Subject", `${at}`]],
      body: Buffer.from(`mail ${Math.random()}\r\n`),
    });
    if (verdict.kind !== "accept") throw new Error(`a mail got ${verdict.kind}`);
    delays.push(performance.now() - begun);
  }
  mta.quit();
  return delays.sort((one, other) => one - other);
}

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

function withoutMail(log: string): string {
  return log
    .split("\n")
    .filter((line) => !/: clean |access denied/.test(line))
    .join("\n");
}

async function tell(temper: Temper, server: string): Promise<Report> {
  const unix = join(folder.path, `${temper}.sock`);
  const port = await freePort();
  const names = await startNameServer(server, temper, ZONE);
  const begun = performance.now();
  const filter = startNamespaced({
    name: "clamav-milter",
    setup: 'hostname mail.lab.example\nmount --bind "$1" /etc',
    arguments: [etcFor(temper, server)],
    argv: [
      ...[
        BINARY,
        "--foreground",
        "--external",
        "--quiet",
        "--no-check-cf",
        "-c",
        clamd.confPath,
        "-k",
        "600",
      ],
      ...[`unix:${unix}`, `inet:${port}@127.0.0.1`],
    ],
  });
  try {
    await lineOf(filter.output, / accepts mail on /);
    const peers = Promise.all(Array.from({ length: PEERS }, (_, at) => peerDelay(port, `127.0.1.${at + 1}`)));
    const told = lineOf(
      filter.output,
      /MX peers of |Won't blacklist 192\.0\.2\.25$|Won't blacklist 10\.0\.0\.29$/,
    ).then((line) => ({ line, after: performance.now() - begun }));
    // Twice, while the look-ups are under way: others may need the processors at one of these moments.
    const rounds = [await mailDelays(unix), await mailDelays(unix)];
    const { line: peersLine, after: peersAfter } = await told;
    const slowestPeer = Math.max(...(await peers));
    await judge({ unix }, { family: "inet", address: "192.0.2.25", body: eicar() });
    await judge({ unix }, { family: "inet", address: "192.0.2.99", body: eicar() });
    const mxListed = await lineOf(filter.output, /Will blacklist/);
    const at = (part: number): number =>
      Math.min(...rounds.map((delays) => delays[Math.floor(delays.length * part)] ?? 0));
    const asked = names.asked();
    return {
      p50: at(0.5),
      p99: at(0.99),
      slowestPeer,
      peersLine,
      peersAfter,
      asked,
      mxListed,
      log: withoutMail(filter.output()),
    };
  } finally {
    await filter.stop();
    names.stop();
  }
}

const reports: Record<string, Report> = {};
try {
  for (const [at, temper] of TEMPERS.entries()) reports[temper] = await tell(temper, `127.0.0.${60 + at}`);
} finally {
  await clamd.stop();
  folder.remove();
}
console.log(JSON.stringify(reports));
