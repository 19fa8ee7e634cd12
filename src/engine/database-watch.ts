/** Watches a database directory the way libclamav offers. */
import { type Pointer, ptr } from "bun:ffi";
import { fixedMemory } from "../os/fixed-memory.ts";
import { cString, type Library } from "./library.ts";

/** struct cl_stat { char *dir; struct stat *stattab; char **statdname; unsigned int entries; } and room for more. */
const STAT_SIZE = 64;

/** What a database directory looked like at some moment. */
export class DatabaseWatch {
  readonly #library: Library;
  readonly #path: Uint8Array;
  readonly #state = fixedMemory(STAT_SIZE);
  readonly #stateAt: Pointer = ptr(this.#state);
  #known = false;

  constructor(library: Library, directory: string) {
    this.#library = library;
    this.#path = cString(directory);
  }

  /** Remembers what the directory looks like now: to be done before it is loaded. */
  remember(): void {
    this.forget();
    this.#known = this.#library.cl_statinidir(ptr(this.#path), this.#stateAt) === 0;
  }

  /** Whether it looks different from what is remembered. One that could not be read then may be readable now. */
  changed(): boolean {
    return !this.#known || this.#library.cl_statchkdir(this.#stateAt) === 1;
  }

  /** Gives the memory back. */
  forget(): void {
    if (this.#known) this.#library.cl_statfree(this.#stateAt);
    this.#known = false;
    this.#state.fill(0);
  }
}
