import { close, constants, fsync, open, write } from "node:fs";
import { link, lstat, mkdir, open as openHandle, readdir, rename, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** Told before each step that changes the disk: where a test ends the process. */
export type StepHook = (
  step: "create" | "write" | "sync" | "rename" | "link" | "syncFolder" | "unlink",
) => void;

/** What a half-written file is called: it is thrown away at the next start. */
const UNFINISHED = ".unfinished-";

const openFile = promisify(open);
const writeFile = promisify(write);
const syncFile = promisify(fsync);
const closeFile = promisify(close);

/** Files that are there whole, on the disk, or not at all: write aside, sync, give the name, sync the folder. */
export class DurableFiles {
  readonly #step: StepHook;
  /** Folders that are on the disk for sure. */
  readonly #synced = new Map<string, Promise<void>>();

  constructor(step: StepHook = () => {}) {
    this.#step = step;
  }

  /**
   * Puts a file into place under a name that nobody else uses.
   * @throws Error of the system call that failed; nothing is left behind then
   */
  async put(folder: string, name: string, content: Content): Promise<void> {
    const aside = await this.#writeAside(folder, name, content);
    await this.#orUnlink(aside, async () => {
      this.#step("rename");
      await rename(aside, join(folder, name));
    });
    await this.syncFolder(folder);
  }

  /**
   * The same, but never in the place of a file that is there: then the code of the error is `EEXIST`. The folder is
   * not synced.
   */
  async putNew(folder: string, name: string, content: Content): Promise<void> {
    const aside = await this.#writeAside(folder, name, content);
    await this.#orUnlink(aside, async () => {
      this.#step("link");
      await link(aside, join(folder, name));
    });
    await this.remove(aside);
  }

  /** Makes a folder that only we can enter, if it is not there. It is on the disk then, with its parent. */
  async makeFolder(parent: string, name: string): Promise<string> {
    const path = join(parent, name);
    try {
      await mkdir(path, { mode: 0o700 });
      this.#synced.delete(path);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
    // One that was there already may be of somebody who makes it at this moment, or was killed before it was synced.
    const syncing = this.#synced.get(path) ?? this.syncFolder(parent);
    this.#synced.set(path, syncing);
    await syncing.catch((error: unknown) => {
      this.#synced.delete(path);
      throw error;
    });
    return path;
  }

  async syncFolder(folder: string): Promise<void> {
    const handle = await openHandle(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      this.#step("syncFolder");
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async move(from: string, to: string): Promise<void> {
    this.#step("rename");
    await rename(from, to);
  }

  /** Takes a file away; one that is gone already is no error. */
  async remove(path: string): Promise<void> {
    this.#step("unlink");
    await unlink(path).catch((error: unknown) => {
      if (codeOf(error) !== "ENOENT") throw error;
    });
  }

  /** The finished files of a folder, with their sizes; what was left unfinished is removed. */
  async list(folder: string): Promise<readonly { readonly name: string; readonly size: number }[]> {
    const files: { name: string; size: number }[] = [];
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry.isFile()) continue;
      if (entry.name.startsWith(UNFINISHED)) await this.remove(join(folder, entry.name));
      else files.push({ name: entry.name, size: (await stat(join(folder, entry.name))).size });
    }
    return files;
  }

  /** Removes what was left unfinished in a folder, and not touched since `before`: milliseconds since 1970. */
  async removeUnfinished(folder: string, before: number): Promise<void> {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.startsWith(UNFINISHED)) continue;
      const path = join(folder, entry.name);
      const touched = await lstat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => Number.POSITIVE_INFINITY,
      );
      if (touched < before) await this.remove(path);
    }
  }

  async #writeAside(folder: string, name: string, content: Content): Promise<string> {
    // The name's end may be too long with more in front of it.
    const path = join(folder, `${UNFINISHED}${crypto.randomUUID()}${name.slice(0, 40)}`);
    this.#step("create");
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const fd = await openFile(path, flags, 0o600);
    try {
      await this.#orUnlink(path, async () => {
        for await (const piece of content) await this.#writeAll(fd, piece);
        this.#step("sync");
        await syncFile(fd);
      });
    } finally {
      await closeFile(fd);
    }
    return path;
  }

  async #writeAll(fd: number, piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length; ) {
      this.#step("write");
      at += (await writeFile(fd, piece, at, piece.length - at)).bytesWritten;
    }
  }

  async #orUnlink(path: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      await unlink(path).catch(() => {});
      throw error;
    }
  }
}

/** What is written, piece by piece. */
export type Content = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** The `code` of a system error, or "". */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
