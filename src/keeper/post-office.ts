import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { needsOutbox } from "../config/mail-settings.ts";
import type { Settings } from "../config/settings.ts";
import type { Log } from "../log/log.ts";
import type { Stamp } from "../notify/compose.ts";
import { DurableFiles } from "./durable-files.ts";
import { Mailer } from "./mailer.ts";
import { Outbox } from "./outbox.ts";
import type { OutboxMail } from "./outbox-entry.ts";
import { CODE_HEADER, type OwnClaim, OwnMail } from "./own-mail.ts";
import { type SendResult, sendByProgram } from "./sendmail.ts";

/** What the outbox may hold (decisions 6). */
export const OUTBOX_BOUNDS = { files: 5000, bytes: 512 * 1024 * 1024 };
/** Milliseconds for what is being sent when the program ends; the rest is sent after the next start. */
const FAREWELL = 3000;

/** What a post office needs of the world. */
export interface PostOfficeEdge {
  readonly settings: () => Settings;
  readonly log: Log;
  readonly stamp: () => Stamp;
}

/** All mail of ours: composed mail comes in, and leaves through the outbox. */
export class PostOffice {
  readonly mailer: Mailer;
  readonly #edge: PostOfficeEdge;
  readonly #folder: string;
  #outbox: Promise<Outbox> | null = null;
  #opened: Outbox | null = null;
  #own: OwnMail | null = null;

  constructor(edge: PostOfficeEdge) {
    const { notices } = edge.settings();
    this.#edge = edge;
    this.#folder = join(notices.spoolDirectory, notices.instance);
    this.mailer = new Mailer({
      folder: this.#folder,
      rules: () => edge.settings().notices,
      stamp: edge.stamp,
      add: (mail) => this.add(mail),
      log: edge.log,
    });
    if (needsOutbox(edge.settings())) {
      this.#open().catch((error: unknown) =>
        edge.log("error", `outbox: ${this.#folder}: ${reasonOf(error)}`),
      );
    }
  }

  /**
   * Puts a mail on the disk; it is sent soon. Without an outbox it is only sent.
   * @throws Error when it can be neither
   */
  async add(mail: OutboxMail): Promise<void> {
    if (needsOutbox(this.#edge.settings())) return (await this.#open()).add(mail);
    const result = await this.#send(mail);
    if (result.kind !== "sent") throw new Error(result.reason);
  }

  /** Whether a message is our own, and was not seen before. */
  honours(claim: OwnClaim): boolean {
    return this.#ownMail().honour(claim);
  }

  /** To be called about once a second. */
  tick(): void {
    this.#opened?.tick();
    this.mailer.tick();
  }

  async stop(): Promise<void> {
    this.mailer.stop();
    await this.#opened?.stop(FAREWELL);
  }

  /** One that could not be opened is tried again with the next mail. */
  #open(): Promise<Outbox> {
    const files = new DurableFiles();
    this.#outbox ??= mkdir(this.#folder, { recursive: true, mode: 0o700 })
      .then(() => files.syncFolder(dirname(this.#folder)))
      .then(() =>
        Outbox.open(this.#folder, {
          files,
          bounds: OUTBOX_BOUNDS,
          now: Date.now,
          send: (mail) => this.#send(mail),
          log: this.#edge.log,
        }),
      )
      .then(
        (outbox) => {
          this.#opened = outbox;
          return outbox;
        },
        (error: unknown) => {
          this.#outbox = null;
          throw error;
        },
      );
    return this.#outbox;
  }

  async #send({ recipients, messageId, bytes }: OutboxMail): Promise<SendResult> {
    const { scanOutgoing, forceScan, notices } = this.#edge.settings();
    let code = "";
    try {
      // Only mail that would be scanned needs to be known again.
      if (scanOutgoing || forceScan)
        code = `${CODE_HEADER}: ${this.#ownMail().issue(messageId, recipients)}\n`;
    } catch (error) {
      // Without it a report with a virus in it would be caught, and reported again.
      return { kind: "later", reason: `it cannot be marked as our own: ${reasonOf(error)}` };
    }
    return sendByProgram(notices.sendmail, recipients, Buffer.concat([Buffer.from(code), bytes]));
  }

  #ownMail(): OwnMail {
    this.#own ??= new OwnMail(this.#folder, Date.now);
    return this.#own;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
