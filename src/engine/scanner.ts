/** Scanning one file after the other, by its descriptor; for one thread. */
import { CString, type Pointer, ptr } from "bun:ffi";
import { errorText } from "./database.ts";
import type { Library } from "./library.ts";
import type { ScanOutcome } from "./scan-text.ts";

const CL_CLEAN = 0;

/** libclamav's scan function with the memory that it needs. */
export class Scanner {
  readonly #library: Library;
  readonly #engine: Pointer;
  /** struct cl_scan_options { uint32_t general, parse, heuristic, mail, dev; } */
  readonly #options: Uint32Array;
  readonly #name = new BigUint64Array(1);
  readonly #scanned = new BigUint64Array(1);

  constructor(library: Library, engine: Pointer, options: readonly number[]) {
    this.#library = library;
    this.#engine = engine;
    this.#options = new Uint32Array(options);
  }

  /** Scans a regular file. Blocks the thread; libclamav ends it by MaxScanTime. */
  scan(fd: number): ScanOutcome {
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
    return {
      status,
      name: name === 0 ? null : new CString(name as Pointer).toString(),
      words: status === CL_CLEAN ? "" : errorText(this.#library, status),
    };
  }
}
