import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eicar, marker, phishingMarker } from "./eicar.ts";

/** The names clamd reports. It adds `.UNOFFICIAL` to every signature that the ClamAV project has not signed. */
export const NAMES = {
  eicar: "Eicar-Test-Signature.UNOFFICIAL",
  marker: "Test.Marker.UNOFFICIAL",
  phishing: "Phishing.Email.Test.UNOFFICIAL",
} as const;

/**
 * Writes a virus database of three signatures: EICAR, the lab's marker, and the lab's phishing marker, each found
 * anywhere in a file, so inside decoded MIME parts too. clamd loads it in no time.
 * @param folder made if missing
 * @returns the folder, for `DatabaseDirectory`
 */
export function writeDatabase(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const signature = (name: string, text: string): string =>
    `${name.replace(".UNOFFICIAL", "")}:0:*:${Buffer.from(text, "latin1").toString("hex")}`;
  const lines = [
    signature(NAMES.eicar, eicar()),
    signature(NAMES.marker, marker()),
    signature(NAMES.phishing, phishingMarker()),
  ];
  writeFileSync(join(folder, "lab.ndb"), `${lines.join("\n")}\n`);
  return folder;
}
