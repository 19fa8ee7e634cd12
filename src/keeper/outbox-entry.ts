/** A mail that waits to be sent. */
export interface OutboxMail {
  /** Whom the mail program is to give it to. */
  readonly recipients: readonly string[];
  /** Without brackets. */
  readonly messageId: string;
  /** What the log calls it, such as `notice about 4AM123`. */
  readonly title: string;
  /** Header and body, with LF line ends. */
  readonly bytes: Uint8Array;
}

/** The first line of a file in the outbox; the mail follows. */
interface Envelope {
  readonly recipients: readonly string[];
  readonly messageId: string;
  readonly title: string;
  /** Milliseconds since 1970. */
  readonly created: number;
}

const LINE_FEED = 0x0a;

/** A file's content. */
export function encodeEntry(mail: OutboxMail, created: number): Uint8Array[] {
  const { recipients, messageId, title, bytes } = mail;
  const envelope: Envelope = { recipients, messageId, title, created };
  return [Buffer.from(`${JSON.stringify(envelope)}\n`), bytes];
}

/** The mail in a file, and when it was put there; null when it is none of ours. */
export function decodeEntry(content: Uint8Array): (OutboxMail & { readonly created: number }) | null {
  const end = content.indexOf(LINE_FEED);
  if (end < 0) return null;
  try {
    const value: unknown = JSON.parse(Buffer.from(content.subarray(0, end)).toString());
    if (typeof value !== "object" || value === null) return null;
    const { recipients, messageId, title, created } = value as Record<string, unknown>;
    const sound = Array.isArray(recipients) && recipients.every((each) => typeof each === "string");
    if (!sound || typeof messageId !== "string" || typeof title !== "string") return null;
    // JSON has numbers that are infinite here: such a mail would never be too old.
    if (typeof created !== "number" || !Number.isFinite(created)) return null;
    return { recipients, messageId, title, created, bytes: content.subarray(end + 1) };
  } catch {
    return null;
  }
}
