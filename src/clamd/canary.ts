import type { ScanSource } from "./session.ts";

/** Random bytes that one test message needs. */
export const CANARY_RANDOMNESS = 16;

/** In the names of the attachments: clamd logs what it finds, and runs its VirusEvent. */
const NAME = "clamav-milter-canary";
/** The line that stands in front of mail, too: the test message is to be taken apart as mail is. */
const FRONT = "Received: by clamav-milter";

/** The standard anti-virus test file, in pieces, so that no scanner takes this program for it. */
const PIECES = ["X5O!P%@AP[4\\PZX54(P^)7CC)7}", "$EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!", "$H+H*"];
const HARMLESS = "Nothing is in here, and nothing is to be found.";

/**
 * A small mail with the EICAR test file in encoded attachments, or without it. Each is another one, since clamd keeps in
 * mind what it found clean. The test file is in there as it is, for signatures of the whole file, and with the blanks
 * behind it that its definition allows, so that no part is one that was scanned before.
 * @param random CANARY_RANDOMNESS bytes
 * @param infected false for a mail of the same kind in which nothing is to be found
 */
export function canaryMail(random: Uint8Array, infected: boolean): Uint8Array {
  const mark = Buffer.from(random).toString("hex");
  const boundary = `=-${mark}`;
  const content = infected ? PIECES.join("") : HARMLESS;
  const blanks = [...random.subarray(0, 6)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const padded = content + blanks.replaceAll("0", " ").replaceAll("1", "\t");
  const lines = [
    FRONT,
    `From: <${NAME}@localhost>`,
    `To: <${NAME}@localhost>`,
    `Subject: ${NAME}: a test of the virus scanner`,
    `Message-ID: <${NAME}.${mark}@localhost>`,
    "MIME-Version: 1.0",
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    "",
    ...attachment(`${NAME}-${mark}-1.com`, content, boundary),
    ...attachment(`${NAME}-${mark}-2.com`, padded, boundary),
    `--${boundary}--`,
    "",
  ];
  return Buffer.from(lines.join("\r\n"), "latin1");
}

function attachment(name: string, content: string, boundary: string): string[] {
  const encoded = Buffer.from(content, "latin1").toString("base64");
  return [
    `--${boundary}`,
    `Content-Type: application/octet-stream; name="${name}"`,
    "Content-Transfer-Encoding: base64",
    `Content-Disposition: attachment; filename="${name}"`,
    "",
    ...(encoded.match(/.{1,76}/g) ?? []),
    "",
  ];
}

/**
 * A message in one piece, for a session.
 * @param descriptor gives a descriptor of a file with it, which stays the caller's
 */
export function sourceOf(bytes: Uint8Array, descriptor: () => number): ScanSource {
  return { size: bytes.length, pieces: () => [bytes].values(), descriptor };
}
