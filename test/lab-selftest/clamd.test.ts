import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startClamd } from "../lab/clamd.ts";
import { NAMES } from "../lab/database.ts";
import { eicarAttachment, marker, phishingMarker } from "../lab/eicar.ts";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { mail } from "../lab/mail.ts";

let folder: LabFolder;

beforeEach(() => {
  folder = plainFolder();
});

afterEach(() => folder.remove());

function messageFile(name: string, text: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
}

test("clamd finds what the lab's database knows, and nothing else", async () => {
  const clamd = await startClamd({ folder: folder.path });
  try {
    const ask = (name: string, text: string): Promise<string> => clamd.ask(`SCAN ${messageFile(name, text)}`);
    expect(await ask("infected", mail({ attachments: [eicarAttachment()] }))).toEndWith(
      `${NAMES.eicar} FOUND`,
    );
    expect(await ask("marked", mail({ body: marker() }))).toEndWith(`${NAMES.marker} FOUND`);
    expect(await ask("phish", mail({ body: phishingMarker() }))).toEndWith(`${NAMES.phishing} FOUND`);
    expect(await ask("clean", mail())).toEndWith(": OK");
    await clamd.logLine(/Eicar-Test-Signature\.UNOFFICIAL FOUND/);
  } finally {
    await clamd.stop();
  }
});

test("clamd is killed and comes back on the same addresses", async () => {
  const clamd = await startClamd({ folder: folder.path, tcp: true });
  try {
    const first = clamd.pid;
    clamd.kill("SIGKILL");
    await clamd.restart();
    expect(clamd.pid).not.toBe(first);
    expect(await clamd.ask("PING")).toBe("PONG");
    expect(clamd.running()).toBe(true);
  } finally {
    await Promise.all([clamd.stop(), clamd.stop()]);
  }
  expect(clamd.running()).toBe(false);
});

test("two clamd share a folder and run at once", async () => {
  const [one, two] = await Promise.all([
    startClamd({ folder: folder.path, name: "one", localSocket: false, tcp: true }),
    startClamd({ folder: folder.path, name: "two", localSocket: false, tcp: { addr: "127.0.0.2" } }),
  ]);
  try {
    expect(await one.ask("VERSION")).toStartWith("ClamAV 1.");
    expect(await two.ask("VERSION")).toStartWith("ClamAV 1.");
  } finally {
    await Promise.all([one.stop(), two.stop()]);
  }
});

test("a clamd that cannot start says why", async () => {
  const starting = startClamd({ folder: folder.path, conf: { NoSuchDirective: "yes" } });
  await expect(starting).rejects.toThrow(/clamd ended with code(.|\n)*NoSuchDirective/);
});
