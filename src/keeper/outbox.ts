import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../log/log.ts";
import { codeOf, type DurableFiles } from "./durable-files.ts";
import { decodeEntry, encodeEntry, type OutboxMail } from "./outbox-entry.ts";
import type { SendResult } from "./sendmail.ts";

/** What an outbox may hold. */
export interface OutboxBounds {
  readonly files: number;
  readonly bytes: number;
}

/** What an outbox needs of the world. */
export interface OutboxEdge {
  readonly files: DurableFiles;
  readonly bounds: OutboxBounds;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly send: (mail: OutboxMail) => Promise<SendResult>;
  readonly log: Log;
}

/** The outbox takes no more; told by its `code`. */
export class OutboxFullError extends Error {
  readonly code = "OUTBOX_FULL";
}

/** Mails that are given to the mail program at the same time. */
const AT_ONCE = 2;
/** After a failure: the first pause and the longest. Milliseconds. */
const FIRST_PAUSE = 60_000;
const LONGEST_PAUSE = 3_600_000;
/** What could not be sent within a day is given up (decisions 6). Milliseconds. */
const LIFETIME = 24 * 3_600_000;
/** Mails that were given up: older ones make room. */
const MOST_FAILED = 500;

interface Waiting {
  readonly name: string;
  readonly size: number;
  attempts: number;
  due: number;
  busy: boolean;
}

/**
 * Mail that waits to be sent, each in a file of its own that is on the disk before `add` resolves. It is sent at
 * least once, whatever happens to this process.
 */
export class Outbox {
  readonly #folder: string;
  readonly #failedFolder: string;
  readonly #edge: OutboxEdge;
  readonly #waiting = new Map<string, Waiting>();
  #bytes = 0;
  #busy = 0;
  #count = 0;
  #stopped = false;

  private constructor(folder: string, failedFolder: string, edge: OutboxEdge) {
    this.#folder = folder;
    this.#failedFolder = failedFolder;
    this.#edge = edge;
  }

  /**
   * Opens the outbox below a folder, with what an earlier process has left.
   * @throws Error of the system call that failed
   */
  static async open(parent: string, edge: OutboxEdge): Promise<Outbox> {
    const folder = await edge.files.makeFolder(parent, "outbox");
    const failed = await edge.files.makeFolder(parent, "failed");
    const outbox = new Outbox(folder, failed, edge);
    for (const { name, size } of await edge.files.list(folder)) outbox.#enter(name, size);
    return outbox;
  }

  /** Mails that wait. */
  get length(): number {
    return this.#waiting.size;
  }

  /**
   * Puts a mail on the disk; it is sent soon.
   * @throws OutboxFullError, or the Error of the system call that failed
   */
  async add(mail: OutboxMail): Promise<void> {
    const content = encodeEntry(mail, this.#edge.now());
    const size = content.reduce((sum, piece) => sum + piece.length, 0);
    const { files, bytes } = this.#edge.bounds;
    if (this.#waiting.size >= files || this.#bytes + size > bytes) {
      throw new OutboxFullError(`it holds ${this.#waiting.size} mails with ${this.#bytes} bytes`);
    }
    const name = `${Math.floor(this.#edge.now()).toString(36)}-${++this.#count}-${crypto.randomUUID()}`;
    // Counted before it is written: many come at the same time.
    const entry = this.#enter(name, size);
    entry.busy = true;
    try {
      await this.#edge.files.put(this.#folder, name, content);
      entry.busy = false;
    } catch (error) {
      this.#leave(entry);
      throw error;
    }
    this.tick();
  }

  /** Sends what is due. To be called about once a second. */
  tick(): void {
    if (this.#stopped) return;
    const now = this.#edge.now();
    for (const entry of this.#waiting.values()) {
      if (this.#busy >= AT_ONCE) return;
      // A clock that was set back must not keep a mail for longer than the longest pause.
      if (entry.busy || (entry.due > now && entry.due <= now + LONGEST_PAUSE)) continue;
      void this.#attempt(entry);
    }
  }

  /** Begins nothing more; resolves when what was begun has ended, or after so many milliseconds. */
  async stop(patience: number): Promise<void> {
    this.#stopped = true;
    const end = performance.now() + patience;
    while (this.#busy > 0 && performance.now() < end) await Bun.sleep(10);
  }

  async #attempt(entry: Waiting): Promise<void> {
    entry.busy = true;
    this.#busy++;
    try {
      await this.#send(entry);
    } catch (error) {
      this.#edge.log("error", `outbox: ${entry.name}: ${error instanceof Error ? error.message : error}`);
      this.#postpone(entry);
    } finally {
      entry.busy = false;
      this.#busy--;
      this.tick();
    }
  }

  async #send(entry: Waiting): Promise<void> {
    const path = join(this.#folder, entry.name);
    const content = await readFile(path).catch((error: unknown) => {
      if (codeOf(error) === "ENOENT") return null;
      throw error;
    });
    if (content === null) return this.#leave(entry);
    const mail = decodeEntry(content);
    if (mail === null) return this.#giveUp(entry, entry.name, "it is no mail of ours");
    const result = await this.#edge.send(mail);
    if (result.kind === "sent") {
      await this.#edge.files.remove(path);
      this.#leave(entry);
      this.#edge.log("verbose", `${mail.title} sent to ${mail.recipients.join(", ")}`);
      return;
    }
    const late = this.#edge.now() - mail.created > LIFETIME;
    if (result.kind === "never" || late) return this.#giveUp(entry, mail.title, result.reason);
    this.#postpone(entry);
    // Once per mail: what goes on failing is told again when it is given up.
    if (entry.attempts === 1)
      this.#edge.log("warning", `${mail.title} waits to be sent again: ${result.reason}`);
  }

  #postpone(entry: Waiting): void {
    entry.due = this.#edge.now() + Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** entry.attempts);
    entry.attempts++;
  }

  async #giveUp(entry: Waiting, title: string, reason: string): Promise<void> {
    const path = join(this.#failedFolder, entry.name);
    await this.#edge.files.move(join(this.#folder, entry.name), path);
    this.#leave(entry);
    this.#edge.log("error", `${title} was not sent and is now ${path}: ${reason}`);
    const failed = [...(await this.#edge.files.list(this.#failedFolder))].map(({ name }) => name).sort();
    for (const name of failed.slice(0, Math.max(0, failed.length - MOST_FAILED))) {
      await this.#edge.files.remove(join(this.#failedFolder, name));
    }
  }

  #enter(name: string, size: number): Waiting {
    const entry: Waiting = { name, size, attempts: 0, due: 0, busy: false };
    this.#waiting.set(name, entry);
    this.#bytes += size;
    return entry;
  }

  #leave(entry: Waiting): void {
    if (this.#waiting.delete(entry.name)) this.#bytes -= entry.size;
  }
}
