import { readFileSync, renameSync, writeFileSync } from "node:fs";

/**
 * A small JSON value in a file that outlives this process. It is whole or as it was before, but not synced: a count
 * that the death of the machine makes a little too small is worth no wait.
 */
export class SmallFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** What an earlier process has left, which may have been older than this program; null: nothing that can be read. */
  read(): unknown {
    try {
      return JSON.parse(readFileSync(this.#path, "utf8"));
    } catch {
      return null;
    }
  }

  /** @returns whether it is written: the disk may be full */
  write(value: unknown): boolean {
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify(value), { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
      return true;
    } catch {
      return false;
    }
  }
}
