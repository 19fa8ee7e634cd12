/** Scanning one file after the other, by its descriptor; for one thread. */
import { CString, type Pointer, ptr } from "bun:ffi";
import { errorText } from "./database.ts";
import type { Library } from "./library.ts";
import { scanByOwnClock } from "./scan-clock.ts";
import { type ScanOutcome, TOO_LARGE_NAME } from "./scan-text.ts";

const CL_CLEAN = 0;
/** CL_ENGINE_MAX_FILESIZE of enum cl_engine_field. */
const MAX_FILESIZE = 1;
/** CL_ENGINE_MAX_SCANTIME. */
const MAX_SCANTIME = 31;

/** libclamav's scan function with the memory that it needs. */
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
    const status = this.#library.cl_scandesc(
      fd,
      null,
      ptr(this.#name),
      ptr(this.#scanned),
      this.#engine,
      ptr(this.#options),
    );
    const name = Number(this.#name[0]);
    const unread = this.#maxFileSize > 0 && size > this.#maxFileSize ? TOO_LARGE_NAME : null;
    return {
      status,
      name: name === 0 ? (status === CL_CLEAN ? null : unread) : new CString(name as Pointer).toString(),
      words: status === CL_CLEAN ? "" : errorText(this.#library, status),
    };
  }
}
