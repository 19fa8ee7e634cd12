import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";

/** How a name server behaves. */
export type Temper = "truth" | "silence" | "garbage" | "lies" | "failure";

/** What the truthful one knows. */
export interface Zone {
  /** Domain to names of exchanges. */
  readonly mx: Readonly<Record<string, readonly string[]>>;
  readonly a: Readonly<Record<string, readonly string[]>>;
  readonly aaaa: Readonly<Record<string, readonly string[]>>;
  /** Domain to records, each in pieces. */
  readonly txt?: Readonly<Record<string, readonly (readonly string[])[]>>;
  /** Domains whose servers fail. */
  readonly failing?: readonly string[];
}

const PORT = 53;
const TYPE = { a: 1, ptr: 12, mx: 15, txt: 16, aaaa: 28 } as const;
const SERVFAIL = 2;
const NXDOMAIN = 3;

/** Answers DNS questions on UDP port 53 of that address as its temper is. */
export async function startNameServer(
  address: string,
  temper: Temper,
  zone: Zone,
): Promise<{ asked(): number; stop(): void }> {
  const socket = createSocket("udp4");
  let asked = 0;
  socket.on("message", (question, peer) => {
    asked++;
    for (const answer of answersTo(question, temper, zone)) socket.send(answer, peer.port, peer.address);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(PORT, address, resolve);
  });
  // Whoever has given up waiting is told of by ICMP.
  socket.on("error", () => {});
  return { asked: () => asked, stop: () => socket.close() };
}

function answersTo(question: Buffer, temper: Temper, zone: Zone): Buffer[] {
  const { name, type, end } = questionOf(question);
  switch (temper) {
    case "silence":
      return [];
    case "failure":
      return [reply(question, end, SERVFAIL, [])];
    case "truth":
      return [truth(question, end, name, type, zone)];
    case "lies":
      return [lie(question, end, type)];
    case "garbage":
      return garbage(question, end, type);
  }
}

function questionOf(question: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), type: question.readUInt16BE(at + 1), end: at + 5 };
}

function truth(question: Buffer, end: number, name: string, type: number, zone: Zone): Buffer {
  const { mx, a, aaaa, txt = {}, failing = [] } = zone;
  if (failing.includes(name)) return reply(question, end, SERVFAIL, []);
  const records: Buffer[] = [];
  if (type === TYPE.mx) for (const exchange of mx[name] ?? []) records.push(mxRecord(exchange));
  if (type === TYPE.a) for (const text of a[name] ?? []) records.push(record(TYPE.a, ipv4(text)));
  if (type === TYPE.aaaa)
    for (const text of aaaa[name] ?? []) records.push(record(TYPE.aaaa, Buffer.from(text, "hex")));
  if (type === TYPE.txt) for (const pieces of txt[name] ?? []) records.push(record(TYPE.txt, texts(pieces)));
  const known = name in txt || name in mx || name in a || name in aaaa;
  return reply(question, end, known ? 0 : NXDOMAIN, records);
}

/** Hosts of everybody's, names that are none, and each of them as often as a packet takes. */
function lie(question: Buffer, end: number, type: number): Buffer {
  if (type === TYPE.mx) {
    const names = ["localhost", "0.0.0.0", "-", "a b\n.example", "x".repeat(60), "127.0.0.1"];
    return reply(
      question,
      end,
      0,
      Array.from({ length: 30 }, (_, at) => mxRecord(names[at % names.length] ?? "")),
    );
  }
  if (type === TYPE.a)
    return reply(
      question,
      end,
      0,
      Array.from({ length: 30 }, (_, at) => record(type, ipv4(`10.0.0.${at}`))),
    );
  if (type === TYPE.aaaa) return reply(question, end, 0, [record(type, Buffer.alloc(16))]);
  return reply(question, end, 0, [record(TYPE.ptr, nameBytes("127.0.0.1"))]);
}

/** Answers that no resolver may believe or choke on. */
function garbage(question: Buffer, end: number, type: number): Buffer[] {
  const loop = reply(question, end, 0, [record(type, Buffer.from([0xc0, end + 12]))]);
  const other = Buffer.from(reply(question, end, 0, [record(type, ipv4("192.0.2.1"))]));
  other.writeUInt16BE((other.readUInt16BE(0) + 1) & 0xffff, 0);
  const long = reply(question, end, 0, [record(type, Buffer.alloc(3))]);
  long.writeUInt16BE(9999, 6);
  const head = Buffer.concat([question.subarray(0, 2), randomBytes(200)]);
  return [randomBytes(300), Buffer.alloc(0), question.subarray(0, 7), other, head, loop, long];
}

function reply(question: Buffer, end: number, code: number, records: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(12);
  question.copy(head, 0, 0, 2);
  head.writeUInt16BE(0x8180 | code, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, question.subarray(12, end), ...records]);
}

/** A record for the name that was asked about. */
function record(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(60, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function mxRecord(exchange: string): Buffer {
  return record(TYPE.mx, Buffer.concat([Buffer.from([0, 10]), nameBytes(exchange)]));
}

function texts(pieces: readonly string[]): Buffer {
  return Buffer.concat(
    pieces.map((piece) => Buffer.from(`${String.fromCharCode(piece.length)}${piece}`, "latin1")),
  );
}

function nameBytes(name: string): Buffer {
  const labels = name
    .split(".")
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, "latin1")]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function ipv4(text: string): Buffer {
  return Buffer.from(text.split(".").map(Number));
}
