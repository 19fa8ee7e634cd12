import { createHash } from "node:crypto";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeDatabase } from "../../test/lab/database.ts";

/** So many signatures besides those of the lab, so that loading takes a moment. */
const FILLERS = 60_000;
const NEW = "soaking-new.ndb";
const BROKEN = "soaking-broken.ndb";

/** The lab's virus database with many signatures more. @returns the folder */
export function soakDatabase(folder: string): string {
  writeDatabase(folder);
  const lines = Array.from({ length: FILLERS }, (_, at) => {
    const digest = createHash("md5").update(String(at)).digest("hex");
    return `${digest}:${1000 + (at % 5000)}:Lab.Filler-${at}\n`;
  });
  writeFileSync(join(folder, "filler.hdb"), lines.join(""));
  return folder;
}

/** Puts a signature for a text into a database, in the place of the last one of this kind. */
export function putSignature(folder: string, name: string, text: string): void {
  put(folder, NEW, `${name}:0:*:${Buffer.from(text, "latin1").toString("hex")}\n`);
}

/** Puts a file there that cannot be loaded. */
export function breakDatabase(folder: string): void {
  put(folder, BROKEN, "this is: no: signature\n");
}

export function mendDatabase(folder: string): void {
  rmSync(join(folder, BROKEN), { force: true });
}

/** In one step, as freshclam does it. */
function put(folder: string, name: string, content: string): void {
  writeFileSync(join(folder, `.${name}.new`), content);
  renameSync(join(folder, `.${name}.new`), join(folder, name));
}
