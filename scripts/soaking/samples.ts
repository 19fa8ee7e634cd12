import { gzipSync } from "node:zlib";
import { NAMES } from "../../test/lab/database.ts";
import { eicar, marker, phishingMarker } from "../../test/lab/eicar.ts";
import type { MtaMail } from "../load/mta-connexion.ts";
import type { Expected } from "./judge.ts";
import type { Chance } from "./random.ts";

/** A message and what must become of it. */
export interface SoakSample {
  readonly mail: MtaMail & { readonly queueId: string; readonly body: Uint8Array };
  readonly recipient: string;
  readonly expected: Expected;
}

/** What shares of the messages are of which kind and size. */
export interface Mix {
  readonly infected: number;
  /** Of the largest bodies, in bytes. */
  readonly largest: number;
  /** `StreamMaxLength` of the filter. */
  readonly limit: number;
}

/** One in so many messages is larger than may be scanned. */
const OVERSIZE = 0.004;
const LINE = 76;
const BOUNDARY = "=-soaking-part";

/** Ways in which a virus comes, each with the name under which it must be found. */
const CARRIERS: readonly { readonly name: string; readonly lines: (name: string) => string[] }[] = [
  { name: NAMES.eicar, lines: () => base64Part("eicar.com", eicar()) },
  { name: NAMES.eicar, lines: () => base64Part("eicar.gz", gzipSync(eicar())) },
  { name: NAMES.eicar, lines: () => quotedPart(eicar()) },
  { name: NAMES.eicar, lines: () => forwarded(base64Part("inner.bin", `MZ\0${eicar()}`)) },
  { name: NAMES.marker, lines: () => base64Part("marker.bin", `${"\0".repeat(500)}${marker()}`) },
  { name: NAMES.phishing, lines: () => [...partHead("text/html", "8bit"), `<p>${phishingMarker()}</p>`] },
];

let text: string | null = null;

/** A text without any meaning, larger than every message. */
function filler(): string {
  text ??= Array.from({ length: 90_000 }, (_, at) =>
    `${at.toString(36)} the quick brown fox jumps over ${(at * 7919).toString(36)} lazy dogs, again and again `
      .padEnd(LINE, "x")
      .slice(0, LINE),
  ).join("\r\n");
  return text;
}

/** The next message of a sender. `id` must be another each time: it is the queue id and makes the recipient. */
export function nextSample(chance: Chance, id: string, mix: Mix): SoakSample {
  const oversize = chance.happens(OVERSIZE);
  const infected = chance.happens(mix.infected);
  const size = oversize ? mix.limit + 50_000 : sizeOf(chance, mix.largest);
  const carrier = infected ? chance.pick(CARRIERS) : null;
  const forged = chance.happens(0.2) ? chance.between(1, 2) : 0;
  return {
    mail: mailOf(id, bodyOf(chance, id, size, carrier?.lines(carrier.name) ?? []), oversize ? 0 : forged),
    recipient: recipientOf(id),
    expected: oversize
      ? { kind: "oversize" }
      : carrier === null
        ? { kind: "clean", forged }
        : { kind: "infected", name: carrier.name },
  };
}

/** A message of a given text, for a look at one thing. */
export function plainSample(id: string, body: string, expected: Expected): SoakSample {
  return { mail: mailOf(id, Buffer.from(`${body}\r\n`, "latin1"), 0), recipient: recipientOf(id), expected };
}

export function recipientOf(id: string): string {
  return `to-${id.toLowerCase()}@lab.example`;
}

function mailOf(id: string, body: Uint8Array, forged: number): SoakSample["mail"] {
  return {
    queueId: id,
    sender: `<from-${id}@example.net>`,
    recipients: [`<${recipientOf(id)}>`],
    headers: [
      ["From", "alice@example.net"],
      ...Array.from({ length: forged }, (): [string, string] => ["X-Virus-Status", "Clean"]),
      ["Subject", `soaking ${id}`],
      ["MIME-Version", "1.0"],
      ["Content-Type", `multipart/mixed; boundary="${BOUNDARY}"`],
    ],
    body,
  };
}

/** Mostly small ones, some of some hundred kB, few of MBs, and empty ones. */
function sizeOf(chance: Chance, largest: number): number {
  if (chance.happens(0.03)) return 0;
  return Math.floor(largest ** (0.45 + 0.55 * chance.next() ** 3));
}

function bodyOf(chance: Chance, id: string, size: number, carrier: readonly string[]): Uint8Array {
  if (size === 0 && carrier.length === 0) return new Uint8Array(0);
  const all = filler();
  const start = chance.between(0, Math.max(0, all.length - size - 1));
  const front = chance.happens(0.5) ? size : Math.floor(size / 10);
  const parts = [
    [...partHead("text/plain", "7bit"), `this is ${id}`, all.slice(start, start + front)],
    ...(carrier.length === 0 ? [] : [carrier]),
    [...partHead("text/plain", "7bit"), all.slice(start + front, start + size)],
  ];
  const lines = parts.flatMap((part) => [`--${BOUNDARY}`, ...part]);
  return Buffer.from(`${[...lines, `--${BOUNDARY}--`].join("\r\n")}\r\n`, "latin1");
}

function partHead(type: string, encoding: string): string[] {
  return [`Content-Type: ${type}`, `Content-Transfer-Encoding: ${encoding}`, ""];
}

function base64Part(name: string, content: string | Uint8Array): string[] {
  const encoded = Buffer.from(content).toString("base64");
  return [
    `Content-Type: application/octet-stream; name="${name}"`,
    "Content-Transfer-Encoding: base64",
    "",
    ...(encoded.match(/.{1,76}/g) ?? []),
  ];
}

function quotedPart(content: string): string[] {
  const codes = [...content].map((character) => {
    const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
    return `=${code}`;
  });
  const lines: string[] = [];
  while (codes.length > 20) lines.push(`${codes.splice(0, 20).join("")}=`);
  return [...partHead("text/plain", "quoted-printable"), ...lines, codes.join("")];
}

function forwarded(part: readonly string[]): string[] {
  const inner = "=-soaking-inner";
  return [
    "Content-Type: message/rfc822",
    "",
    "Subject: forwarded",
    "MIME-Version: 1.0",
    `Content-Type: multipart/mixed; boundary="${inner}"`,
    "",
    `--${inner}`,
    ...part,
    `--${inner}--`,
  ];
}
