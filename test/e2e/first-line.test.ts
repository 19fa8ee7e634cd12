import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import { connectClamd } from "../../src/clamd/connect.ts";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { NAMES } from "../lab/database.ts";
import { eicarAttachment } from "../lab/eicar.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { mail } from "../lab/mail.ts";

/**
 * Names of a first header field that begin like a file: clamd tells a stream's type by its first bytes, and what
 * it takes for a PDF or a program it does not take apart as mail.
 */
const FIRST_FIELDS: readonly string[] = [
  "%PDF-1.4",
  "%PDF-1.7",
  "%!PS-Adobe-3.0",
  "MZ",
  "MZ\x90",
  "Rar!",
  "Rar!\x1a\x07",
  "GIF87a",
  "GIF89a",
  "PK\x03\x04",
  "PK00PK\x03\x04",
  "7z\xbc\xaf\x27\x1c",
  "BZh9",
  "\x1f\x8b\x08",
  "\x7fELF",
  "\xca\xfe\xba\xbe",
  "\xce\xfa\xed\xfe",
  "\x89PNG",
  "\xff\xd8\xff",
  "BM",
  "II*",
  "MM\x2a",
  "RIFF",
  "ID3",
  "OggS",
  "FWS",
  "CWS",
  "ZWS",
  "{\\rtf1",
  "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
  "ITSF",
  "MSCF",
  "SZDD",
  "KWAJ",
  "#!/bin/sh",
  "<html>",
  "<?xml",
  "<svg",
  "-----BEGIN",
  "begin",
  "x\x9c",
  "\x60\xea",
  "ISc(",
  "ustar",
  "!<arch>",
  "\xed\xab\xee\xdb",
  "\xfd7zXZ",
  "ARJ",
  "StuffIt",
  "EGG",
  "\x04%!PS",
  "MThd",
  ".snd",
  "FLV",
  "AutoIt",
  "X-Bogus",
];

describe("a first header field named like a file's signature does not hide the virus", () => {
  const folder = plainFolder();
  const socket = join(folder.path, "milter.sock");
  let clamd: Clamd;
  let filter: Filter;
  let mta: MtaConnexion;

  beforeAll(async () => {
    clamd = await startClamd({ folder: folder.path });
    filter = await startFilter({ conf: clamd.confPath, sockets: [`unix:${socket}`], options: ["-q"] });
    mta = await MtaConnexion.open({ unix: socket });
    await mta.negotiate();
    await mta.greet();
  });

  afterAll(async () => {
    mta.quit();
    await filter.stop();
    await clamd.stop();
    folder.remove();
  });

  const [head = "", ...rest] = mail({ attachments: [eicarAttachment()] }).split("\r\n\r\n");
  const headers = head.split("\r\n").map((line): [string, string] => {
    const at = line.indexOf(": ");
    return [line.slice(0, at), line.slice(at + 2)];
  });
  const body = Buffer.from(rest.join("\r\n\r\n"), "latin1");

  for (const name of FIRST_FIELDS) {
    test(JSON.stringify(name), async () => {
      const { verdict } = await mta.mail({ headers: [[name, "x"], ...headers], body });
      const text = `554 5.7.1 virus ${NAMES.eicar} detected by ClamAV - http://www.clamav.net`;
      expect(verdict).toEqual({ kind: "replyCode", text });
    });
  }

  test("without our line in front clamd is deceived: the table above tests something", async () => {
    const session = await connectClamd(
      { kind: "unix", path: clamd.socketPath, name: "clamd" },
      5000,
      () => {},
    );
    const bytes = Buffer.from(`%PDF-1.4: x\r\n${mail({ attachments: [eicarAttachment()] })}`);
    const reply = await session.scan({
      size: bytes.length,
      pieces: () => [bytes].values(),
      descriptor: () => -1,
    });
    session.quit();
    expect(reply).toEqual({ kind: "clean" });
  });

  test("a mail without any header field is scanned too", async () => {
    const { verdict } = await mta.mail({ headers: [], body: Buffer.from(eicarAttachment().content) });
    expect(verdict.kind).toBe("replyCode");
  });
});
