/** A file that goes with a message. */
export interface Attachment {
  readonly name: string;
  readonly content: string | Uint8Array;
  /** Media type; application/octet-stream unless told. */
  readonly type?: string;
}

export interface MailParts {
  readonly from?: string;
  readonly to?: string;
  readonly subject?: string;
  /** More header fields, in order, in front of the usual ones; a value may hold folded lines. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Text; ends of line may be LF. */
  readonly body?: string;
  readonly attachments?: readonly Attachment[];
}

const BOUNDARY = "=-lab-part-4711";

/** Builds a message as it goes over the wire, CRLF at every end of line, with base64 MIME parts for attachments. */
export function mail(parts: MailParts = {}): string {
  const { attachments = [], body = "Hello,\n\nthis is a test.\n" } = parts;
  const lines = [
    ...(parts.headers ?? []).map(([name, value]) => `${name}: ${value}`),
    `From: <${parts.from ?? "alice@lab.example"}>`,
    `To: <${parts.to ?? "bob@lab.example"}>`,
    `Subject: ${parts.subject ?? "lab message"}`,
    `Date: Mon, 06 Jan 2025 10:00:00 +0000`,
    `Message-ID: <${crypto.randomUUID()}@lab.example>`,
    "MIME-Version: 1.0",
  ];
  if (attachments.length === 0) {
    lines.push("Content-Type: text/plain; charset=us-ascii", "", body);
  } else {
    lines.push(`Content-Type: multipart/mixed; boundary="${BOUNDARY}"`, "");
    lines.push(`--${BOUNDARY}`, "Content-Type: text/plain; charset=us-ascii", "", body);
    for (const attachment of attachments) lines.push(...attachmentLines(attachment));
    lines.push(`--${BOUNDARY}--`, "");
  }
  const text = lines.join("\n").replace(/\r?\n/g, "\r\n");
  return text.endsWith("\r\n") ? text : `${text}\r\n`;
}

function attachmentLines({ name, content, type }: Attachment): string[] {
  const encoded = Buffer.from(content).toString("base64");
  return [
    `--${BOUNDARY}`,
    `Content-Type: ${type ?? "application/octet-stream"}; name="${name}"`,
    "Content-Transfer-Encoding: base64",
    `Content-Disposition: attachment; filename="${name}"`,
    "",
    ...(encoded.match(/.{1,76}/g) ?? []),
  ];
}
