import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Content, codeOf, DurableFiles } from "./durable-files.ts";

/** Messages of one queue id and name: more is no accident. */
const MOST_ALIKE = 1000;
/** Bytes of each part of a file's name. */
const LONGEST_ID = 60;
const LONGEST_NAME = 120;
/** What was not touched for so long nobody is writing any more, not even another program. Milliseconds. */
const ABANDONED = 10 * 60_000;
/** Folders of days that are looked through, the latest ones. */
const MOST_DAYS = 1000;

/** The quarantine directory (man page: --quarantine-dir; decisions 5; CB 6.6). */
export class Quarantine {
  readonly #directory: string;
  readonly #files: DurableFiles;
  readonly #now: () => Date;

  constructor(directory: string, now: () => Date, files = new DurableFiles()) {
    this.#directory = directory;
    this.#now = now;
    this.#files = files;
  }

  /**
   * Keeps a message as `DIR/YYMMDD/<queue id>.<NAME>`, with what is known of it beside it in a file whose name goes on
   * with `.json`. Both are on the disk then; where there is a message, there is its description.
   * @returns the path of the message
   * @throws Error of the system call that failed; nothing of the message is left behind then
   */
  async keep(queueId: string, name: string, message: () => Content, about: object): Promise<string> {
    const folder = await this.#files.makeFolder(this.#directory, dayOf(this.#now()));
    const base = `${filePart(queueId, LONGEST_ID)}.${filePart(name, LONGEST_NAME)}`;
    const description = [Buffer.from(`${JSON.stringify(about, null, 2)}\n`)];
    for (let count = 0; count < MOST_ALIKE; count++) {
      const file = count === 0 ? base : `${base}.${count}`;
      if (!(await this.#putNew(folder, `${file}.json`, description))) continue;
      try {
        if (!(await this.#putNew(folder, file, message()))) continue;
      } catch (error) {
        await this.#files.remove(join(folder, `${file}.json`)).catch(() => {});
        throw error;
      }
      await this.#files.syncFolder(folder);
      return join(folder, file);
    }
    throw new Error(`${join(folder, base)}: ${MOST_ALIKE} messages of that name are there already`);
  }

  /** Takes away what processes that were killed have left unfinished. To be called now and then. Never throws. */
  async clean(): Promise<void> {
    const before = this.#now().getTime() - ABANDONED;
    const names = await readdir(this.#directory).catch(() => []);
    const days = names.filter((name) => /^\d{6}$/.test(name)).sort();
    for (const day of days.slice(-MOST_DAYS)) {
      // A folder that cannot be read, or is none, is no reason to leave the others as they are.
      await this.#files.removeUnfinished(join(this.#directory, day), before).catch(() => {});
    }
  }

  /** @returns false when there is a file of that name */
  async #putNew(folder: string, name: string, content: Content): Promise<boolean> {
    try {
      await this.#files.putNew(folder, name, content);
      return true;
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      throw error;
    }
  }
}

/** The local date, two digits each. */
function dayOf(date: Date): string {
  return [date.getFullYear() % 100, date.getMonth() + 1, date.getDate()]
    .map((number) => String(number).padStart(2, "0"))
    .join("");
}

/** A text from outside as a part of a file's name: nothing that leads elsewhere, hides the file or harms a terminal. */
function filePart(text: string, longest: number): string {
  const safe = text.replaceAll(/[^A-Za-z0-9_.:+@=-]+/g, "_").slice(0, longest);
  return safe.replace(/^[.-]+/, "_") || "Unknown";
}
