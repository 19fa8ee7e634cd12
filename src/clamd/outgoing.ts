import { STREAM_END } from "./command.ts";

/** Where small parts are put together, so that a small mail leaves in one write: for that moment only, so one will do. */
const GATHERED = Buffer.allocUnsafeSlow(65_536);
/** A piece of this size leaves as it is: copying it would cost more than a system call. */
const WORTH_A_WRITE = 32_768;

/** What is on its way to a clamd, in order: commands, and pieces of a message that are read when there is room. */
export class Outgoing {
  /** What the socket has not taken of what it was given last. */
  #rest: Uint8Array | null = null;
  #commands: Uint8Array[] = [];
  #source: Iterator<Uint8Array> | null = null;
  /** The message's next piece, when it has been read already. */
  #piece: Uint8Array | null = null;
  /** Bytes of the message that are to be read yet. */
  #left = 0;

  /** Whether pieces of a message are to follow: a command would fall between them. */
  get reading(): boolean {
    return this.#source !== null || this.#piece !== null;
  }

  /** Whether anything waits. */
  get waiting(): boolean {
    return this.reading || this.#rest !== null || this.#commands.length > 0;
  }

  /** Not while `reading`. */
  command(bytes: Uint8Array): void {
    this.#commands.push(bytes);
  }

  /**
   * A message behind the commands, and the end of the stream behind it. Not while `reading`.
   * @param size bytes of all pieces together
   */
  message(pieces: Iterator<Uint8Array>, size: number): void {
    this.#source = pieces;
    this.#left = size;
  }

  /**
   * What is to be written next, null when there is nothing: what is small in one, what is long as it is. Good until
   * the socket has said how much it takes.
   * @throws Error when the message cannot be read, or has another size than was said
   */
  next(): Uint8Array | null {
    if (this.#rest !== null) return this.#rest;
    let length = 0;
    for (let part = this.#nextPart(); part !== null; part = this.#nextPart()) {
      const long = part.length >= WORTH_A_WRITE;
      if (long && length === 0) return part;
      if (long || length + part.length > GATHERED.length) {
        this.#putBack(part);
        break;
      }
      GATHERED.set(part, length);
      length += part.length;
    }
    return length === 0 ? null : GATHERED.subarray(0, length);
  }

  /** Of what `next` gave the socket has taken so many bytes. @returns whether that was all */
  taken(bytes: Uint8Array, count: number): boolean {
    const rest = count < bytes.length ? bytes.subarray(count) : null;
    // The next session to write needs the place.
    this.#rest = rest !== null && rest.buffer === GATHERED.buffer ? new Uint8Array(rest) : rest;
    return rest === null;
  }

  /** Forgets all: the session is over. */
  drop(): void {
    this.#rest = null;
    this.#commands = [];
    this.#source = null;
    this.#piece = null;
  }

  #nextPart(): Uint8Array | null {
    const piece = this.#piece;
    if (piece !== null) {
      this.#piece = null;
      return piece;
    }
    return this.#commands.shift() ?? (this.#source === null ? null : this.#read(this.#source));
  }

  #putBack(part: Uint8Array): void {
    // The end of the stream stands in front of commands that come now.
    if (this.#source === null) this.#commands.unshift(part);
    else this.#piece = part;
  }

  /** Of a part of a message there must be no verdict. */
  #read(source: Iterator<Uint8Array>): Uint8Array {
    const next = source.next();
    if (next.done !== true) {
      this.#left -= next.value.length;
      if (this.#left < 0) throw new Error("the message is longer than was said");
      return next.value;
    }
    this.#source = null;
    if (this.#left > 0) throw new Error("the message is shorter than was said");
    return STREAM_END;
  }
}
