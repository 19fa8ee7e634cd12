import { eicar } from "../../test/lab/eicar.ts";
import { type Random, seeded } from "./random.ts";

/** A mail of the bench, in the parts in which an MTA hands it over. */
export interface BenchMail {
  readonly name: string;
  /** Name and value; folded values have CRLF and a tab in them. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Everything behind the empty line. */
  readonly body: Buffer;
  readonly infected: boolean;
}

/** The sizes that a load can have; `mix` is what a mail server sees, 1 % of it infected. */
export const SIZES = ["2k", "10k", "100k", "1m", "10m", "mix"] as const;
export type Size = (typeof SIZES)[number];

type Filling = "random" | "table" | "gzip";

const BYTES: Readonly<Record<Exclude<Size, "mix">, number>> = {
  "2k": 2 << 10,
  "10k": 10 << 10,
  "100k": 100 << 10,
  "1m": 1 << 20,
  "10m": 10 << 20,
};
const VARIANTS: Readonly<Record<Exclude<Size, "mix">, number>> = {
  "2k": 6,
  "10k": 6,
  "100k": 6,
  "1m": 3,
  "10m": 2,
};
const FILLINGS: readonly [Filling, ...Filling[]] = ["random", "table", "gzip"];
const WORDS =
  "the tide harbour ledger window orchard copper signal Thursday parcel lantern ferry market invoice bridge summer quarter letter railway garden number winter engine booking station morning paper silver receipt and".split(
    " ",
  );
const LINE = 68;
const BASE64_LINE = 76;
/** A mix of 100: 74 small mails, 20 of middle size, 4 of 1 MB, one of 10 MB and an infected one. */
const MIX = { small: 74, middle: 20, large: 4, huge: 1, infected: 1 } as const;

/**
 * The mails of a load, in the order in which they are sent, again from the start after the last. The same each time.
 */
export function corpus(size: Size): readonly BenchMail[] {
  if (size === "mix") return mixed(seeded(77));
  const random = seeded(BYTES[size]);
  return variants(size, VARIANTS[size], random);
}

function variants(size: Exclude<Size, "mix">, count: number, random: Random): BenchMail[] {
  return Array.from({ length: count }, (_, at) => {
    const filling = FILLINGS[at % FILLINGS.length] ?? "random";
    return benchMail(`${size}-${at}`, BYTES[size], filling, random);
  });
}

function mixed(random: Random): BenchMail[] {
  const filling = (at: number): Filling => FILLINGS[at % FILLINGS.length] ?? "random";
  const some = (kinds: number, least: number, most: number, name: string): BenchMail[] =>
    Array.from({ length: kinds }, (_, at) =>
      benchMail(`${name}-${at}`, least + random.below(most - least), filling(at), random),
    );
  const deck = [
    ...repeated(some(14, 5_000, 20_000, "small"), MIX.small),
    ...repeated(some(8, 50_000, 150_000, "middle"), MIX.middle),
    ...repeated(variants("1m", 3, random), MIX.large),
    ...repeated(variants("10m", 2, random), MIX.huge),
    ...repeated([infectedMail(random)], MIX.infected),
  ];
  return shuffled(deck, random);
}

function repeated(mails: readonly BenchMail[], count: number): BenchMail[] {
  return Array.from({ length: count }, (_, at) => mails[at % mails.length]).filter(
    (mail) => mail !== undefined,
  );
}

function shuffled<T>(values: readonly T[], random: Random): T[] {
  return values
    .map((value) => ({ value, key: random.below(2 ** 32) }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}

/** A mail of about `bytes` bytes: text and HTML, and an attachment that fills it up. */
export function benchMail(name: string, bytes: number, filling: Filling, random: Random): BenchMail {
  const text = prose(random, Math.max(150, Math.min(3_000, bytes / 6)));
  const page = html(random, Math.max(200, Math.min(5_000, bytes / 5)));
  const frame = assemble(name, random, text, page, {
    name: "x.bin",
    type: "application/octet-stream",
    content: Buffer.alloc(0),
  });
  const taken =
    frame.body.length + frame.headers.reduce((sum, [key, value]) => sum + key.length + value.length + 4, 0);
  const wanted = Math.max(40, Math.floor(((bytes - taken) * 57) / (BASE64_LINE + 2)));
  return assemble(name, random, text, page, attachment(filling, wanted, random));
}

/** A small mail with the EICAR test file attached. */
export function infectedMail(random: Random): BenchMail {
  const file = {
    name: "eicar.com",
    type: "application/octet-stream",
    content: Buffer.from(eicar(), "latin1"),
  };
  return { ...assemble("infected", random, prose(random, 800), html(random, 900), file), infected: true };
}

interface File {
  readonly name: string;
  readonly type: string;
  readonly content: Buffer;
}

function attachment(filling: Filling, bytes: number, random: Random): File {
  const type = "application/octet-stream";
  if (filling === "random") return { name: "data.bin", type, content: random.bytes(bytes) };
  if (filling === "table") return { name: "table.csv", type, content: table(bytes, random) };
  const packed = Buffer.concat([table(bytes, random), random.bytes(Math.floor(bytes * 0.7))]);
  const content = Buffer.from(Bun.gzipSync(packed, { level: 6 }));
  return { name: "table.gz", type: "application/gzip", content };
}

function assemble(name: string, random: Random, text: string, page: string, file: File): BenchMail {
  const outer = `=_o${random.bytes(12).toString("hex")}`;
  const inner = `=_i${random.bytes(12).toString("hex")}`;
  const part = (type: string, content: string): string =>
    `--${inner}\r\nContent-Type: ${type}; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n${content}\r\n`;
  const front = [
    `--${outer}\r\nContent-Type: multipart/alternative; boundary="${inner}"\r\n\r\n`,
    part("text/plain", text),
    part("text/html", page),
    `--${inner}--\r\n--${outer}\r\nContent-Type: ${file.type}; name="${file.name}"\r\n`,
    `Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="${file.name}"\r\n\r\n`,
  ].join("");
  const body = Buffer.concat([
    Buffer.from(front, "latin1"),
    base64Lines(file.content),
    Buffer.from(`--${outer}--\r\n`),
  ]);
  return { name, headers: headers(name, outer, random), body, infected: false };
}

function headers(name: string, boundary: string, random: Random): [string, string][] {
  const id = random.bytes(6).toString("hex");
  const signature = Array.from({ length: 3 }, () => random.bytes(45).toString("base64")).join("\r\n\t");
  return [
    [
      "Received",
      `from hub.example.net (hub.example.net [198.51.100.9])\r\n\tby mx.example.net with ESMTPS id ${id};\r\n\tTue, 4 Jun 2024 09:10:12 +0000`,
    ],
    [
      "Received",
      `from desk.example.net (desk.example.net [198.51.100.77])\r\n\tby hub.example.net with ESMTPSA id ${id}1;\r\n\tTue, 4 Jun 2024 09:10:11 +0000`,
    ],
    [
      "DKIM-Signature",
      `v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=one;\r\n\th=from:to:subject:date; bh=${random.bytes(32).toString("base64")};\r\n\tb=${signature}`,
    ],
    ["From", "Ada Example <ada@example.net>"],
    ["To", "Ben Example <ben@example.org>"],
    ["Subject", `bench ${name}`],
    ["Date", "Tue, 04 Jun 2024 09:10:11 +0000"],
    ["Message-ID", `<${id}.bench@example.net>`],
    ["MIME-Version", "1.0"],
    ["Content-Type", `multipart/mixed; boundary="${boundary}"`],
  ];
}

function word(random: Random): string {
  return WORDS[random.below(WORDS.length)] ?? "";
}

function prose(random: Random, bytes: number): string {
  const lines: string[] = [];
  for (let length = 0, line = ""; length < bytes; ) {
    line += `${word(random)} `;
    if (line.length < LINE) continue;
    lines.push(line.trimEnd());
    length += line.length + 1;
    line = "";
  }
  return `${lines.join("\r\n")}\r\n`;
}

function html(random: Random, bytes: number): string {
  let rows = "";
  while (rows.length < bytes) {
    const link = `<a href="https://www.example.net/${random.below(1_000_000)}">${word(random)}</a>`;
    rows += `<p class="row">${prose(random, 80).trimEnd()} ${link}</p>\r\n`;
  }
  return `<html><head><title>Bench</title></head><body>\r\n${rows}</body></html>\r\n`;
}

function table(bytes: number, random: Random): Buffer {
  const lines: string[] = ["number;day;item;price"];
  for (let length = 0; length < bytes; ) {
    const line = `${random.below(1_000_000)};2024-06-${10 + random.below(20)};${word(random)};${random.below(9_999)}.50`;
    lines.push(line);
    length += line.length + 1;
  }
  return Buffer.from(lines.join("\n"), "latin1").subarray(0, bytes);
}

function base64Lines(content: Buffer): Buffer {
  const text = content.toString("base64");
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += BASE64_LINE) lines.push(text.slice(at, at + BASE64_LINE));
  return Buffer.from(`${lines.join("\r\n")}\r\n`, "latin1");
}
