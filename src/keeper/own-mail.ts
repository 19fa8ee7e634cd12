import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The header field by which our own mail is known (decisions 6). */
export const CODE_HEADER = "X-ClamAV-Milter-Code";

const SECRET_BYTES = 32;
const MAC_BYTES = 12;
/** Our own mail may wait so long in the MTA's queue before it comes back to us. Milliseconds. */
const LIFETIME = 24 * 3_600_000;
/** A clock that was set back a little does no harm. Milliseconds. */
const FUTURE = 60_000;
/** Recipients of one mail. */
export const MOST_RECIPIENTS = 200;
/** Used codes that are remembered; the file of them is written anew when it has so many lines. */
const MOST_USED = 20_000;

/** What our mail says of itself. */
export interface OwnClaim {
  /** The value of the code's header. */
  readonly code: string;
  /** With or without brackets. */
  readonly messageId: string;
  /** Those of this transaction. */
  readonly recipients: readonly string[];
}

/**
 * Knows our own mail again when it passes the filter, so that a report with a virus in it is not caught, reported and
 * caught again. For every recipient the code has a keyed digest of time, message id and address; each is good once.
 */
export class OwnMail {
  readonly #secret: Buffer;
  readonly #journal: string;
  readonly #now: () => number;
  /** Digests that were used, and when they may be forgotten. */
  readonly #used = new Map<string, number>();

  /**
   * @param folder where `secret` and `used-codes` are, or will be
   * @param now milliseconds since 1970
   * @throws Error when the secret can neither be read nor made
   */
  constructor(folder: string, now: () => number) {
    this.#now = now;
    this.#secret = readSecret(join(folder, "secret"));
    this.#journal = join(folder, "used-codes");
    this.#readJournal();
  }

  /** The header's value for a mail that is about to be sent; lines are folded with LF and a blank. */
  issue(messageId: string, recipients: readonly string[]): string {
    const time = Math.floor(this.#now()).toString(36);
    const codes = recipients
      .slice(0, MOST_RECIPIENTS)
      .map((address) => this.#digest(time, messageId, address));
    return [`1 ${time}`, ...codes].join("\n ");
  }

  /** Whether a claim is true, and new. It is used up then. */
  honour(claim: OwnClaim): boolean {
    const [version, time = "", ...codes] = claim.code.trim().split(/\s+/);
    const made = Number.parseInt(time, 36);
    const age = this.#now() - made;
    const sound = version === "1" && /^[0-9a-z]{1,12}$/.test(time) && age <= LIFETIME && age >= -FUTURE;
    if (!sound || claim.recipients.length === 0 || codes.length > MOST_RECIPIENTS) return false;
    const id = claim.messageId.trim().replace(/^<(.*)>$/s, "$1");
    const digests: string[] = [];
    for (const path of claim.recipients) {
      const digest = this.#formsOf(path)
        .map((address) => this.#digest(time, id, address))
        .find((each) => codes.some((code) => equal(code, each)));
      if (digest === undefined || this.#used.has(digest) || digests.includes(digest)) return false;
      digests.push(digest);
    }
    for (const digest of digests) this.#use(digest, made + LIFETIME + FUTURE);
    return true;
  }

  /** An MTA gives an address without a domain one of its own. */
  #formsOf(path: string): string[] {
    const address = path.trim().replace(/^<(.*)>$/s, "$1");
    const at = address.lastIndexOf("@");
    return at < 0 ? [address] : [address, address.slice(0, at)];
  }

  #digest(time: string, messageId: string, address: string): string {
    const text = JSON.stringify([time, messageId, address.toLowerCase()]);
    return createHmac("sha256", this.#secret)
      .update(text)
      .digest()
      .subarray(0, MAC_BYTES)
      .toString("base64url");
  }

  #use(digest: string, until: number): void {
    this.#used.set(digest, until);
    try {
      if (this.#used.size > MOST_USED) this.#rewriteJournal();
      else appendFileSync(this.#journal, `${Math.floor(until)} ${digest}\n`, { mode: 0o600 });
    } catch {
      // What cannot be written is remembered as long as this process lives.
    }
  }

  #readJournal(): void {
    let text = "";
    try {
      text = readFileSync(this.#journal, "latin1");
    } catch {
      return;
    }
    for (const line of text.split("\n")) {
      const [until = "", digest] = line.split(" ");
      if (digest !== undefined && Number(until) > this.#now()) this.#used.set(digest, Number(until));
    }
  }

  #rewriteJournal(): void {
    for (const [digest, until] of this.#used) if (until < this.#now()) this.#used.delete(digest);
    // The oldest stand first.
    for (const digest of this.#used.keys()) {
      if (this.#used.size <= MOST_USED / 2) break;
      this.#used.delete(digest);
    }
    const lines = [...this.#used].map(([digest, until]) => `${Math.floor(until)} ${digest}\n`);
    writeFileSync(this.#journal, lines.join(""), { mode: 0o600 });
  }
}

/** What a sender wrote is one character a byte: in UTF-8 texts of one length could have different ones. */
function equal(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  return timingSafeEqual(Buffer.from(one, "latin1"), Buffer.from(other, "latin1"));
}

function readSecret(path: string): Buffer {
  try {
    writeFileSync(path, randomBytes(SECRET_BYTES), { flag: "wx", mode: 0o600, flush: true });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  const secret = readFileSync(path);
  if (secret.length === SECRET_BYTES) return secret;
  // A process was killed while it wrote: nothing was ever signed with half a secret.
  const whole = randomBytes(SECRET_BYTES);
  writeFileSync(path, whole, { mode: 0o600, flush: true });
  return whole;
}
