import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import type { ClamdError } from "../../src/clamd/clamd-error.ts";
import { type ClamdPort, ClamdSession, type ScanSource } from "../../src/clamd/session.ts";
import { sealedFile } from "../../src/os/memory-file.ts";

/** The far end of a session: it understands what is sent to it, and says what a test tells it to. */
export class FakeClamd implements ClamdPort {
  /** Commands in order; a stream that is through shows as `INSTREAM` and its bytes. */
  readonly commands: string[] = [];
  /** Bytes that the socket takes at each write. */
  room = Number.POSITIVE_INFINITY;
  closed = 0;
  refusesDescriptors = false;
  readonly session: ClamdSession;
  readonly ends: ClamdError[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #stream: Buffer[] | null = null;

  constructor(onEnd: (error: ClamdError) => void = () => {}) {
    this.session = new ClamdSession(this, (error) => {
      this.ends.push(error);
      onEnd(error);
    });
  }

  write(bytes: Uint8Array): number {
    if (this.closed > 0) throw new Error("a write after close");
    const taken = Math.min(this.room, bytes.length);
    this.#bytes = Buffer.concat([this.#bytes, bytes.subarray(0, taken)]);
    while (this.#parse());
    return taken;
  }

  pass(bytes: Uint8Array, descriptor: number): void {
    if (this.closed > 0) throw new Error("a descriptor after close");
    if (this.refusesDescriptors) throw new Error("sendmsg: EAGAIN");
    expect(Buffer.from(bytes).toString()).toBe("zFILDES\0\0");
    this.commands.push(`FILDES ${readFileSync(`/proc/self/fd/${descriptor}`, "latin1")}`);
  }

  close(): void {
    this.closed++;
  }

  /** Says something, NUL-terminated. */
  say(...replies: readonly string[]): void {
    this.session.receive(Buffer.from(replies.map((reply) => `${reply}\0`).join(""), "latin1"));
  }

  /** Lets the socket take bytes until everything is through; answers how often it had to be asked. */
  drain(): number {
    let writes = 0;
    for (; this.session.sending && this.closed === 0; writes++) this.session.writable();
    return writes;
  }

  /** Understands one command or chunk; false when there is no whole one. */
  #parse(): boolean {
    return this.#stream === null ? this.#parseCommand() : this.#parseChunk(this.#stream);
  }

  #parseCommand(): boolean {
    const end = this.#bytes.indexOf(0);
    if (end < 0) return false;
    const command = this.#bytes.toString("latin1", 0, end);
    if (!command.startsWith("z")) throw new Error(`not a command: ${command}`);
    this.#bytes = this.#bytes.subarray(end + 1);
    if (command === "zINSTREAM") this.#stream = [];
    else this.commands.push(command.slice(1));
    return true;
  }

  #parseChunk(stream: Buffer[]): boolean {
    if (this.#bytes.length < 4) return false;
    const length = this.#bytes.readUInt32BE(0);
    if (this.#bytes.length < 4 + length) return false;
    stream.push(this.#bytes.subarray(4, 4 + length));
    this.#bytes = this.#bytes.subarray(4 + length);
    if (length > 0) return true;
    this.commands.push(`INSTREAM ${Buffer.concat(stream).toString("latin1")}`);
    this.#stream = null;
    return true;
  }
}

/** A message of these pieces. */
export function sourceOf(...pieces: readonly (string | Uint8Array)[]): ScanSource {
  const parts = pieces.map((piece) => Buffer.from(piece as string));
  return {
    size: parts.reduce((sum, part) => sum + part.length, 0),
    pieces: () => parts.values(),
    descriptor: () => sealedFile(parts),
  };
}

/** How a promise stands once everything that can run has run. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  return Promise.race([
    promise.catch((error: unknown) => {
      if (error instanceof Error && "code" in error) return error.code;
      throw error;
    }),
    settled().then(() => "pending"),
  ]);
}

/** Resolves when all that can run without the outside world has run. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise((done) => setImmediate(done));
}
