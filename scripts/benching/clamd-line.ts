import { FILDES, IDSESSION, INSTREAM } from "../../src/clamd/command.ts";
import { sendWithDescriptor } from "../../src/os/descriptor-passing.ts";
import { closeDescriptor } from "../../src/os/libc.ts";
import { sealedFile } from "../../src/os/memory-file.ts";
import { writeUint32 } from "../../src/wire/uint32.ts";
import type { BenchMail } from "./corpus.ts";
import { type Address, Link, type Waiting } from "./link.ts";
import type { Poller } from "./socket-calls.ts";
import { layOut, ownCopy, type Part, PLACE, placesIn, putNumber, type WireFrame } from "./stretches.ts";
import type { Job, Work } from "./work.ts";

/** A mail as clamd is given it: the first field and the number that makes it unlike the others, and the rest. */
interface Rendered {
  readonly head: Part;
  readonly places: readonly number[];
  readonly tail: Part;
}

/** Bytes of a stream's piece. */
const CHUNK = 65_536;
/** Stands for the answer that is due: a session has no letters. */
const SCAN = 1;
const silent = (bytes: Uint8Array): WireFrame => ({ bytes, stage: SCAN, answered: false });
const SESSION = layOut([silent(IDSESSION)]);

const streams = new Map<BenchMail, Rendered>();
const files = new Map<BenchMail, Rendered>();

/** A session with clamd, one scan at a time: what it can do at most, without a filter in between. */
export class ClamdLine {
  readonly #waiting: Waiting;
  readonly #link: Link;
  readonly #passing: boolean;
  readonly #heads = new Map<Rendered, Part>();
  #work: Work | null = null;
  #job: Job | null = null;

  /** @param passing whether mails are passed as descriptors (FILDES) instead of being streamed */
  constructor(poller: Poller, waiting: Waiting, address: Address, passing: boolean) {
    this.#passing = passing;
    this.#waiting = waiting;
    this.#link = new Link(poller, waiting, address, {
      onBytes: (bytes) => this.#bytes(bytes),
      onLost: (why) => this.#lost(why),
    });
  }

  start(work: Work): void {
    this.#work = work;
    this.#next();
  }

  close(): void {
    this.#link.close();
    this.#job = null;
    this.#work = null;
  }

  #next(): void {
    this.#job = this.#work?.take() ?? null;
    if (this.#job === null) this.#link.close();
    else if (this.#passing) this.#pass(this.#job);
    else this.#stream(this.#job);
  }

  #stream(job: Job): void {
    const rendered = renderedFor(streams, job.mail, streamed);
    const head = this.#headOf(rendered, job.number);
    if (this.#link.connected) this.#link.send([head, rendered.tail]);
    else this.#link.open([SESSION, head, rendered.tail]);
  }

  #pass(job: Job): void {
    const rendered = renderedFor(files, job.mail, filed);
    const head = this.#headOf(rendered, job.number);
    if (!this.#link.connected) this.#link.open([SESSION]);
    if (!this.#link.connected) {
      // The link tries again first.
      if (this.#job === job) this.#waiting.add(() => this.#pass(job));
      return;
    }
    const file = sealedFile([head.bytes, rendered.tail.bytes]);
    try {
      sendWithDescriptor(this.#link.fd, FILDES, file);
    } catch (error) {
      this.#link.close();
      this.#lost(error instanceof Error ? error.message : String(error));
    } finally {
      closeDescriptor(file);
    }
  }

  #headOf(rendered: Rendered, number: number): Part {
    let head = this.#heads.get(rendered);
    if (head === undefined) {
      head = ownCopy(rendered.head);
      this.#heads.set(rendered, head);
    }
    putNumber(head.bytes, rendered.places, number);
    return head;
  }

  #bytes(bytes: Buffer): number {
    const end = bytes.indexOf(0);
    if (end < 0 || this.#job === null) return 0;
    const text = bytes.toString("latin1", 0, end);
    const verdict = text.endsWith(" OK") ? "accept" : text.endsWith(" FOUND") ? "reject" : "tempfail";
    this.#work?.settle(this.#job, verdict, text);
    this.#next();
    return end + 1;
  }

  #lost(why: string): void {
    if (this.#job === null || this.#work === null) return;
    this.#work.settle(this.#job, "lost", why);
    this.#job = null;
    this.#waiting.add(() => this.#next());
  }
}

function renderedFor(
  known: Map<BenchMail, Rendered>,
  mail: BenchMail,
  render: (front: Buffer, rest: Buffer) => [head: Part, tail: Part],
): Rendered {
  const found = known.get(mail);
  if (found !== undefined) return found;
  const [first, ...others] = mail.headers.map(([name, value]) => `${name}: ${value}\r\n`);
  const front = Buffer.from(`${first}X-Bench-Number: ${PLACE}\r\n`, "latin1");
  const rest = Buffer.concat([Buffer.from(`${others.join("")}\r\n`, "latin1"), mail.body]);
  const [head, tail] = render(front, rest);
  const rendered = { head, places: placesIn(head.bytes), tail };
  known.set(mail, rendered);
  return rendered;
}

function streamed(front: Buffer, rest: Buffer): [Part, Part] {
  const tail: WireFrame[] = [];
  for (let at = 0; at < rest.length; at += CHUNK) tail.push(silent(piece(rest.subarray(at, at + CHUNK))));
  tail.push(silent(new Uint8Array(4)));
  return [layOut([silent(INSTREAM), silent(piece(front))]), layOut(tail)];
}

function filed(front: Buffer, rest: Buffer): [Part, Part] {
  return [layOut([silent(front)]), layOut([silent(rest)])];
}

function piece(bytes: Uint8Array): Uint8Array {
  const framed = new Uint8Array(4 + bytes.length);
  writeUint32(framed, 0, bytes.length);
  framed.set(bytes, 4);
  return framed;
}
