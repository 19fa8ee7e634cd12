import type { Attachment } from "./mail.ts";

/** The standard anti-virus test file, 68 bytes, put together here so that no scanner takes this source for it. */
export function eicar(): string {
  return ["X5O!P%@AP[4\\PZX54(P^)7CC)7}", "$EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!", "$H+H*"].join("");
}

/** A harmless text that only the lab's own database takes for a virus. */
export function marker(): string {
  return ["q7Zk-lab", "marker", "x93VdTr0", "wN5c"].join("~");
}

/** A harmless text the lab's own database takes for a phish (its name has `Phishing` in it). */
export function phishingMarker(): string {
  return ["b2Hs-lab", "phish", "m41LpQe8", "uY6j"].join("~");
}

/** EICAR as a file for `mail({ attachments })`. */
export function eicarAttachment(name = "eicar.com"): Attachment {
  return { name, content: eicar() };
}
