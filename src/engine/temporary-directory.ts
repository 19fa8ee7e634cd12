/**
 * The directory for what scans unpack. libclamav calls a message clean when it cannot write there, without a word
 * when the disk is full: no scan counts unless the directory could be used before and after it.
 */
import { accessSync, constants, ftruncateSync, statfsSync, writeSync } from "node:fs";
import { openNameless } from "../scan/spool-file.ts";

const MEBIBYTE = 1024 * 1024;
/** What must be free besides twice the message: parts are decoded, archives are more. */
const LEAST_FREE = MEBIBYTE;
const PROBE: Uint8Array = new Uint8Array(4096).fill(1);

/** Looks at one directory, for one thread. */
export class TemporaryDirectory {
  readonly #path: string;
  /** A file without a name: making one for each look would cost more than a small mail takes to scan. */
  #probe: number | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Why nothing can be unpacked there at this moment, or null.
   * @param size bytes of the message
   */
  problem(size: number): string | null {
    try {
      // Gone, read-only, or no right to it.
      accessSync(this.#path, constants.W_OK | constants.X_OK);
      this.#write();
      return this.#shortage(2 * size + LEAST_FREE);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Takes a new block of the disk and gives it back: full disks and quotas show. */
  #write(): void {
    this.#probe ??= openNameless(this.#path);
    ftruncateSync(this.#probe, 0);
    if (writeSync(this.#probe, PROBE, 0, PROBE.length, 0) < PROBE.length) throw new Error("the disk is full");
  }

  #shortage(needed: number): string | null {
    const { bavail, bsize, files, ffree } = statfsSync(this.#path);
    if (bavail * bsize < needed) return "too little space is free for what is in a message";
    return files > 0 && ffree === 0 ? "no more files can be made" : null;
  }
}
