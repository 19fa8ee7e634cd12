import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cachedPart } from "../../scripts/debian/parts.ts";
import { sourceOf } from "../../src/clamd/canary.ts";
import { connectClamd } from "../../src/clamd/connect.ts";
import type { ScanReply } from "../../src/clamd/reply.ts";
import { sealedFile } from "../../src/os/memory-file.ts";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { writeDatabase } from "../lab/database.ts";
import { eicar, eicarAttachment, marker, phishingMarker } from "../lab/eicar.ts";
import { type LabEngine, startEngine } from "../lab/engine.ts";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { mail } from "../lab/mail.ts";

const PATIENCE = 60_000;
const TESTFILES = join(cachedPart("clamav").root, "usr/share/clamav-testfiles");

let folder: LabFolder;
let database: string;

beforeAll(() => {
  folder = plainFolder();
  database = writeDatabase(join(folder.path, "db"));
  // The package's test files hold this program, packed in every way.
  const program = readFileSync(join(TESTFILES, "clam.exe"));
  const hash = createHash("md5").update(program).digest("hex");
  appendFileSync(join(database, "lab.hdb"), `${hash}:${program.length}:Clamav.Test.File\n`);
});

afterAll(() => folder.remove());

interface Sample {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Debian's test files as they are, some of them in mails, and mails of our own. */
function samples(): Sample[] {
  const files = readdirSync(TESTFILES).sort();
  const read = (name: string): Buffer => readFileSync(join(TESTFILES, name));
  const inMails = files
    .slice(0, 12)
    .map((name): [string, string] => [name, mail({ attachments: [{ name, content: read(name) }] })]);
  const link = "http://www.example.org/";
  const made: [string, string][] = [
    ["clean", mail()],
    ["EICAR attached", mail({ attachments: [eicarAttachment()] })],
    ["EICAR bare", eicar()],
    ["EICAR in the text", mail({ body: `${eicar()}\n` })],
    ["marker", mail({ body: `x ${marker()} y\n` })],
    ["phish", mail({ body: phishingMarker() })],
    ["disguised", `%PDF-1.4: x\r\n${mail({ attachments: [eicarAttachment()] })}`],
    [
      "cards",
      mail({ body: "4111111111111111 5500005555555559 340000000000009 6011000000000004 ".repeat(3) }),
    ],
    ["numbers", mail({ body: "078-05-1120 219-09-9999 457-55-5462 123-45-6789 ".repeat(3) })],
    ["cloaked link", mail({ body: `<html><a href="${link}%00@192.0.2.1/">https://bank.example</a></html>` })],
    [
      "many attachments",
      mail({ attachments: Array.from({ length: 40 }, (_, at) => eicarAttachment(`${at}`)) }),
    ],
    ["large", mail({ body: "line of text\n".repeat(40_000) })],
  ];
  return [
    ...files.map((name) => ({ name, bytes: read(name) })),
    ...[...inMails, ...made].map(([name, text]) => ({ name, bytes: Buffer.from(text, "latin1") })),
  ];
}

async function verdictsOf(path: string): Promise<Record<string, ScanReply>> {
  const session = await connectClamd({ kind: "unix", path, name: "scanner" }, 5000, () => {});
  const verdicts: Record<string, ScanReply> = {};
  for (const { name, bytes } of samples()) {
    verdicts[name] = await session.scan(sourceOf(bytes, () => sealedFile([bytes])));
  }
  session.quit();
  return verdicts;
}

/** The same clamd.conf for both; ours always tells of limits, so clamd must, too. */
async function compare(name: string, conf: Record<string, string>): Promise<Record<string, ScanReply>> {
  let clamd: Clamd | undefined;
  let engine: LabEngine | undefined;
  try {
    clamd = await startClamd({
      folder: folder.path,
      name,
      database,
      conf: { ...conf, AlertExceedsMax: "yes" },
    });
    const lines = Object.entries(conf).map(([directive, value]) => `${directive} ${value}`);
    engine = await startEngine([`DatabaseDirectory ${database}`, ...lines].join("\n"));
    const ours = await verdictsOf(engine.socket);
    expect(ours).toEqual(await verdictsOf(clamd.socketPath));
    return ours;
  } finally {
    await engine?.stop();
    await clamd?.stop();
  }
}

function infected(verdicts: Record<string, ScanReply>): number {
  return Object.values(verdicts).filter(({ kind }) => kind === "infected").length;
}

test(
  "clamav-testfiles and mails get clamd's verdicts and names",
  async () => {
    const verdicts = await compare("plain", {});
    expect(infected(verdicts)).toBeGreaterThanOrEqual(50);
    expect(verdicts["EICAR attached"]).toEqual({
      kind: "infected",
      name: "Eicar-Test-Signature.UNOFFICIAL",
    });
    expect(verdicts.clean).toEqual({ kind: "clean" });
  },
  PATIENCE,
);

test(
  "the scanning switches and alerts mean what they mean to clamd",
  async () => {
    const alerts = await compare("alerts", {
      AlertEncrypted: "yes",
      AlertOLE2Macros: "yes",
      AlertBrokenExecutables: "yes",
      AlertBrokenMedia: "yes",
      AlertPhishingCloak: "yes",
      AlertPhishingSSLMismatch: "yes",
      StructuredDataDetection: "yes",
      StructuredSSNFormatStripped: "yes",
      DetectPUA: "yes",
      ExcludePUA: "NetTool",
    });
    expect(alerts.cards?.kind).toBe("infected");
    const few = await compare("few", {
      ScanArchive: "no",
      ScanMail: "no",
      ScanPE: "no",
      ScanOLE2: "no",
      ScanPDF: "no",
      HeuristicAlerts: "no",
      Bytecode: "no",
      PhishingSignatures: "no",
    });
    expect(few["EICAR attached"]).toEqual({ kind: "clean" });
  },
  PATIENCE,
);

test(
  "what a limit keeps from being scanned is told, and never clean",
  async () => {
    const limited = await compare("limits", {
      MaxScanSize: "20K",
      MaxFileSize: "200K",
      MaxFiles: "10",
      MaxRecursion: "3",
    });
    expect(limited.large?.kind).toBe("limitExceeded");
    expect(Object.values(limited).filter(({ kind }) => kind === "limitExceeded").length).toBeGreaterThan(3);
  },
  PATIENCE,
);
