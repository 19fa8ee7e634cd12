/**
 * False alarms about phishing with a real clamd and a name server: run in a network of its own by spf.test.ts. Prints
 * for each case what the MTA was answered and which mails were sent.
 */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import type { Modification } from "../../src/milter/replies.ts";
import { startNameServer, type Zone } from "../fakes/name-server.ts";
import { startClamd } from "../lab/clamd.ts";
import { writeDatabase } from "../lab/database.ts";
import { phishingMarker } from "../lab/eicar.ts";
import { fakeSendmail } from "../lab/fake-sendmail.ts";
import { BINARY } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { addLoopbackAddresses } from "../lab/private-network.ts";
import { startNamespaced } from "../lab/process.ts";
import { lineOf, until } from "../lab/wait.ts";

const SERVER = "127.0.0.60";
const ZONE: Zone = {
  mx: { "bymx.example": ["mx1.bymx.example"] },
  a: { "mx1.bymx.example": ["203.0.113.7"] },
  aaaa: {},
  txt: {
    // In two pieces, which are one text.
    "genuine.example": [["something else"], ["v=spf1 ip4:203.0.", "113.0/29 -all"]],
    "included.example": [["v=spf1 include:genuine.example -all"]],
    "bymx.example": [["v=spf1 mx -all"]],
    "sixth.example": [["v=spf1 ip6:2001:db8:7::/48 -all"]],
    "soft.example": [["v=spf1 ~all"]],
    "twice.example": [["v=spf1 +all"], ["v=spf1 +all"]],
    "silent.example": [["no policy"]],
  },
  failing: ["broken.example"],
};
/** An HTML mail whose link goes elsewhere than it says. */
const SPOOFED = `<html><body><a href="http://evil.example.net/x">http://www.bank.example/</a></body></html>\r\n`;
/** What a case may differ in from mail of genuine.example that comes from where it should. */
interface Case {
  readonly from?: readonly string[];
  readonly address?: string;
  readonly body?: string;
}
const CASES: Readonly<Record<string, Case>> = {
  pass: {},
  "pass by include": { from: ["Bank <news@included.example>"] },
  "pass by mx": { from: ["news@bymx.example"] },
  "pass by IPv6 as sendmail writes it": { from: ["news@sixth.example"], address: "IPv6:2001:db8:7::25" },
  fail: { address: "203.0.113.99" },
  "an address of 60,000 characters": { address: "9".repeat(60_000) },
  softfail: { from: ["news@soft.example"] },
  "no policy": { from: ["news@silent.example"] },
  "no such domain": { from: ["news@nowhere.example"] },
  "two policies": { from: ["news@twice.example"] },
  "servers that fail": { from: ["news@broken.example"] },
  "two authors": { from: ["news@genuine.example", "other@evil.example"] },
  "a signature's name": { body: `${phishingMarker()}\r\n` },
};

addLoopbackAddresses([]);
const folder = plainFolder();
const database = writeDatabase(join(folder.path, "db"));
writeFileSync(join(database, "lab.pdb"), "H:bank.example\n");
const clamd = await startClamd({ folder: folder.path, database });
const sendmail = fakeSendmail(folder.path);
const names = await startNameServer(SERVER, "truth", ZONE);
const kept = join(folder.path, "kept");
mkdirSync(kept, { mode: 0o700 });

/** An /etc whose only name server is ours. */
function ownEtc(): string {
  const etc = join(folder.path, "etc");
  mkdirSync(etc);
  for (const name of ["passwd", "group"]) copyFileSync(`/etc/${name}`, join(etc, name));
  writeFileSync(join(etc, "resolv.conf"), `nameserver ${SERVER}\n`);
  writeFileSync(join(etc, "hosts"), "127.0.0.1 localhost\n");
  return etc;
}

const unix = join(folder.path, "milter.sock");
const filter = startNamespaced({
  name: "clamav-milter",
  setup: 'hostname mail.lab.example\nmount --bind "$1" /etc',
  arguments: [ownEtc()],
  argv: [
    ...[BINARY, "--foreground", "--external", "--no-check-cf", "--canary=0", "-c", clamd.confPath],
    ...[`--sendmail-bin=${sendmail.path}`, `--spool-dir=${folder.path}/spool`, "-U", kept],
    ...["-r", "phish@report.example", "-R", "false@report.example", "-P", "-p", "virus@lab.example"],
    `unix:${unix}`,
  ],
});

function changeText(change: Modification): string {
  return change.kind === "addHeader" ? `${change.name}:${change.value}` : change.kind;
}

async function answerTo(name: string, { from = ["Bank <news@genuine.example>"], address, body }: Case) {
  const mta = await MtaConnexion.open({ unix });
  await mta.negotiate();
  const family = address?.startsWith("IPv6:") ? "inet6" : "inet";
  await mta.greet({ family, address: address ?? "203.0.113.7", host: "mx.genuine.example" });
  const { verdict, modifications } = await mta.mail({
    queueId: `Q-${name.replaceAll(/\W/g, "-")}`,
    // The envelope's sender is nobody's business here.
    sender: "<bounces@elsewhere.example>",
    headers: [
      ...from.map((value): [string, string] => ["From", value]),
      ["Subject", `case ${name}`],
      ["MIME-Version", "1.0"],
      ["Content-Type", "text/html; charset=us-ascii"],
      ["X-Virus-Status", "Clean"],
    ],
    body: Buffer.from(body ?? SPOOFED),
  });
  mta.quit();
  return {
    answer: verdict.kind === "replyCode" ? verdict.text : verdict.kind,
    changes: modifications.map(changeText),
  };
}

const answers: Record<string, Awaited<ReturnType<typeof answerTo>>> = {};
let expected = 0;
try {
  await lineOf(filter.output, / accepts mail on /);
  for (const [name, each] of Object.entries(CASES)) {
    answers[name] = await answerTo(name, each);
    // A report, and a notice where it is refused.
    expected += answers[name].answer === "accept" ? 1 : 2;
    await until(() => sendmail.mails().length >= expected, { what: "its mails", detail: filter.output });
  }
} finally {
  await filter.stop();
  await clamd.stop();
  names.stop();
}
const mails = sendmail.mails().map(({ args, header, text }) => ({
  to: args.slice(4),
  subject: header.find((line) => line.startsWith("Subject:")) ?? "",
  attached: /\nSubject: (case .*)\n/.exec(text)?.[1] ?? "",
  about: /queue ID Q-(\S+)/.exec(text)?.[1] ?? "",
}));
console.log(JSON.stringify({ answers, mails, log: filter.output() }));
folder.remove();
