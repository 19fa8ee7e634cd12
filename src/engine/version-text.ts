/** What the built-in engine would scan with, without loading it all. */
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { dateText } from "./database.ts";
import { loadLibrary } from "./library.ts";

/** The header of a database container takes so many bytes. */
const HEADER = 512;
/** The one that tells the version of the whole. */
const NAMES = ["daily.cvd", "daily.cld"];

/** Version and build time that a container's header tells. */
export interface DatabaseHeader {
  readonly version: number;
  readonly built: Date;
}

/**
 * As clamd's VERSION: `ClamAV 1.4.6/27000/Sun Nov 22 09:00:00 2026`.
 * @throws EngineError `NO_LIBRARY`
 */
export function engineVersion(databaseDirectory: string): string {
  const name = `ClamAV ${String(loadLibrary().cl_retver())}`;
  let newest: DatabaseHeader | null = null;
  for (const file of NAMES) {
    const header = parseHeader(readHeader(join(databaseDirectory, file)));
    if (header !== null && (newest === null || header.version > newest.version)) newest = header;
  }
  return newest === null ? name : `${name}/${newest.version}/${dateText(newest.built)}`;
}

/** `ClamAV-VDB:time:version:signatures:level:md5:signature:builder:seconds`; null for anything else. */
export function parseHeader(text: string): DatabaseHeader | null {
  const fields = text.trimEnd().split(":");
  if (fields[0] !== "ClamAV-VDB") return null;
  const [version, seconds] = [Number(fields[2]), Number(fields[8])];
  if (!Number.isInteger(version) || !Number.isInteger(seconds) || version < 1) return null;
  return { version, built: new Date(seconds * 1000) };
}

function readHeader(path: string): string {
  const bytes = Buffer.alloc(HEADER);
  try {
    const fd = openSync(path, "r");
    try {
      return bytes.toString("latin1", 0, readSync(fd, bytes));
    } finally {
      closeSync(fd);
    }
  } catch {
    // There is none, as when nothing but signatures of one's own is used.
    return "";
  }
}
