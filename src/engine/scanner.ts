/** Scanning one file after the other, by its descriptor; for one thread. */
import { CString, type Pointer, ptr } from "bun:ffi";
import { readSync } from "node:fs";
import { errorText } from "./database.ts";
import type { Library } from "./library.ts";
import { scanByOwnClock } from "./scan-clock.ts";
import { type ScanOutcome, TOO_LARGE_NAME } from "./scan-text.ts";

const CL_CLEAN = 0;
/** CL_ENGINE_MAX_FILESIZE of enum cl_engine_field. */
const MAX_FILESIZE = 1;
const LEAST_ROOM = 64 * 1024;
/** Each thread keeps so much at most; longer messages are read by libclamav. */
const MOST_ROOM = 4 * 1024 * 1024;
/** CL_ENGINE_MAX_SCANTIME. */
const MAX_SCANTIME = 31;

/** libclamav's scan functions with the memory that they need. */
export class Scanner {
  readonly #library: Library;
  readonly #engine: Pointer;
  /** struct cl_scan_options { uint32_t general, parse, heuristic, mail, dev; } */
  readonly #options: Uint32Array;
  readonly #maxFileSize: number;
  /** Milliseconds; 0: no limit. */
  readonly #maxScanTime: number;
  readonly #name = new BigUint64Array(1);
  readonly #scanned = new BigUint64Array(1);
  #room: Uint8Array = new Uint8Array(0);

  constructor(library: Library, engine: Pointer, options: readonly number[]) {
    this.#library = library;
    this.#engine = engine;
    this.#options = new Uint32Array(options);
    this.#maxFileSize = Number(library.cl_engine_get_num(engine, MAX_FILESIZE, null));
    this.#maxScanTime = Number(library.cl_engine_get_num(engine, MAX_SCANTIME, null));
  }

  /** Scans a regular file of so many bytes. Blocks the thread; libclamav ends it by MaxScanTime. */
  scan(fd: number, size: number): ScanOutcome {
    return scanByOwnClock(
      () => this.#scanOnce(fd, size),
      performance.now.bind(performance),
      this.#maxScanTime,
    );
  }

  #scanOnce(fd: number, size: number): ScanOutcome {
    this.#name[0] = 0n;
    // In memory libclamav does without a page table of its own: up to a seventh less for a large message.
    return size > 0 && size <= MOST_ROOM && this.#read(fd, size)
      ? this.#scanMemory(size)
      : this.#outcome(this.#scanFile(fd), size);
  }

  /**
   * A copy: what a file is while it is mapped is in the hands of whoever else has it. False when it cannot be read:
   * libclamav says what that means.
   */
  #read(fd: number, size: number): boolean {
    if (this.#room.length < size) {
      this.#room = new Uint8Array(2 ** Math.ceil(Math.log2(Math.max(size, LEAST_ROOM))));
    }
    let at = 0;
    while (at < size) {
      const count = readPart(fd, this.#room, at, size);
      if (count === 0) return false;
      at += count;
    }
    return true;
  }

  #scanMemory(size: number): ScanOutcome {
    const map = this.#library.cl_fmap_open_memory(ptr(this.#room), size);
    if (typeof map !== "number") return { status: -1, name: null, words: "No memory for the message" };
    try {
      const status = this.#library.cl_scanmap_callback(
        map,
        null,
        ptr(this.#name),
        ptr(this.#scanned),
        this.#engine,
        ptr(this.#options),
        null,
      );
      return this.#outcome(status, size);
    } finally {
      this.#library.cl_fmap_close(map);
    }
  }

  #scanFile(fd: number): number {
    return this.#library.cl_scandesc(
      fd,
      null,
      ptr(this.#name),
      ptr(this.#scanned),
      this.#engine,
      ptr(this.#options),
    );
  }

  #outcome(status: number, size: number): ScanOutcome {
    const name = Number(this.#name[0]);
    const unread = this.#maxFileSize > 0 && size > this.#maxFileSize ? TOO_LARGE_NAME : null;
    return {
      status,
      name: name === 0 ? unread : new CString(name as Pointer).toString(),
      words: status === CL_CLEAN ? "" : errorText(this.#library, status),
    };
  }
}

function readPart(fd: number, into: Uint8Array, at: number, end: number): number {
  try {
    return readSync(fd, into, at, end - at, at);
  } catch {
    return 0;
  }
}
