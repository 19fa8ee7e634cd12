import { ClamdError } from "./clamd-error.ts";
import { chunkLength, END, FILDES, IDSESSION, INSTREAM, PING, VERSION } from "./command.ts";
import { Outgoing } from "./outgoing.ts";
import { parseNumbered, parseScanReply, ReplyDecoder, type ScanReply } from "./reply.ts";

/** What is to be scanned, as pieces in order; it can be read again from the start for another server. */
export interface ScanSource {
  /** Bytes of all pieces together. */
  readonly size: number;
  pieces(): Iterator<Uint8Array>;
  /**
   * A descriptor of a file with the whole message, which stays the source's.
   * @throws Error when there can be none
   */
  descriptor(): number;
}

/** The stream to clamd, as a session needs it. */
export interface ClamdPort {
  /** Takes as much as fits and answers how many bytes that were; `ClamdSession.writable` follows when more fits. */
  write(bytes: Uint8Array): number;
  /**
   * Sends all of these bytes, and a descriptor with the first. Only while nothing waits for `writable`.
   * @throws Error when the socket does not take them
   */
  pass(bytes: Uint8Array, descriptor: number): void;
  /** Whether clamd has closed the connexion, though nobody was told of it yet. */
  gone(): boolean;
  close(): void;
}

/** What the length of a chunk can say. */
const LONGEST_STREAM = 0xffff_ffff;

type Settle<T> = { readonly resolve: (value: T) => void; readonly reject: (error: ClamdError) => void };
type Request =
  | ({ readonly kind: "scan"; readonly passed: boolean } & Settle<ScanReply>)
  | ({ readonly kind: "text" } & Settle<string>);

/**
 * One IDSESSION with a clamd: commands are numbered from 1, replies carry the number and may come in any order.
 * At most one scan is in flight, so that giving it up by closing the connexion costs no other message. It knows
 * no socket and no clock.
 */
export class ClamdSession {
  readonly #port: ClamdPort;
  readonly #decoder = new ReplyDecoder();
  readonly #requests = new Map<number, Request>();
  readonly #onEnd: (error: ClamdError) => void;
  #lastId = 0;
  #ended: ClamdError | null = null;
  readonly #outgoing = new Outgoing();
  /** The descriptor that is to be passed once everything before it has left. */
  #descriptor: number | null = null;
  #written = 0;
  #answers = 0;
  #wasSending = false;

  /** @param onEnd called once, when the session can be used no more */
  constructor(port: ClamdPort, onEnd: (error: ClamdError) => void) {
    this.#port = port;
    this.#onEnd = onEnd;
    this.#outgoing.command(IDSESSION);
  }

  get ended(): boolean {
    return this.#ended !== null;
  }

  /** Looks whether clamd is still there; the session is over if it is not. For one that is about to be used. */
  check(): boolean {
    if (this.#ended === null && this.#port.gone()) {
      this.fail(new ClamdError("CLAMD_CLOSED", "the connexion was closed"));
    }
    return this.#ended === null;
  }

  /** Whether the message in scanning has not been sent to its end. */
  get sending(): boolean {
    return this.#descriptor !== null || this.#outgoing.waiting;
  }

  /** Replies that have come. */
  get answers(): number {
    return this.#answers;
  }

  /** Whether a message was on its way when the session ended. */
  get endedSending(): boolean {
    return this.#wasSending;
  }

  /** Bytes that the socket has taken so far: while it grows, clamd reads. */
  get written(): number {
    return this.#written;
  }

  /**
   * Asks for a sign of life, which renews clamd's timer of the connexion. Not while a message is being sent: a
   * command would fall between its chunks.
   */
  async ping(): Promise<void> {
    const text = await this.#ask(PING);
    if (text !== "PONG")
      this.fail(new ClamdError("CLAMD_PROTOCOL", `PING was answered: ${text.slice(0, 80)}`));
  }

  /** Asks for clamd's version. Not while a message is being sent. */
  version(): Promise<string> {
    return this.#ask(VERSION);
  }

  /**
   * Sends a message and answers what clamd says of it.
   * @param passing whether it is passed as a descriptor (FILDES, on a unix socket only) instead of streamed
   */
  scan(source: ScanSource, passing = false): Promise<ScanReply> {
    return passing ? this.#pass(source) : this.#stream(source);
  }

  /** The whole message is one chunk: clamd refuses one that is too long at once, and long pieces need no copy. */
  #stream(source: ScanSource): Promise<ScanReply> {
    const { size } = source;
    if (size > LONGEST_STREAM) return Promise.resolve({ kind: "tooLarge" });
    const reply = this.#request<ScanReply>(
      (settle) => ({ kind: "scan", passed: false, ...settle }),
      INSTREAM,
    );
    if (this.#ended === null) {
      // A length of zero would end the stream.
      if (size > 0) this.#outgoing.command(chunkLength(size));
      this.#outgoing.message(source.pieces(), size);
    }
    this.writable();
    return reply;
  }

  #pass(source: ScanSource): Promise<ScanReply> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    try {
      this.#descriptor = source.descriptor();
    } catch {
      // No file in memory is to be had at the moment: the stream needs none.
      return this.#stream(source);
    }
    const reply = this.#request<ScanReply>((settle) => ({ kind: "scan", passed: true, ...settle }), null);
    this.writable();
    return reply;
  }

  /** Says good-bye; clamd forgets the session. */
  quit(): void {
    if (this.#ended !== null) return;
    if (!this.sending) this.#port.write(END);
    this.fail(new ClamdError("CLAMD_CLOSED", "the session is over"));
  }

  /** Ends the session: everything in flight fails with `error`. clamd drops what it was scanning for it. */
  fail(error: ClamdError): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    this.#wasSending = this.sending;
    this.#outgoing.drop();
    this.#descriptor = null;
    this.#port.close();
    for (const request of this.#requests.values()) request.reject(error);
    this.#requests.clear();
    this.#onEnd(error);
  }

  /** Takes bytes from clamd. */
  receive(bytes: Uint8Array): void {
    if (this.#ended !== null) return;
    try {
      for (const text of this.#decoder.push(bytes)) this.#take(text);
    } catch (error) {
      if (!(error instanceof ClamdError)) throw error;
      this.fail(error);
    }
  }

  /** The socket takes bytes again: sends on. */
  writable(): void {
    while (this.#ended === null) {
      const bytes = this.#nextBytes();
      if (bytes === null) {
        this.#passDescriptor();
        return;
      }
      const written = Math.max(0, this.#port.write(bytes));
      this.#written += written;
      if (!this.#outgoing.taken(bytes, written)) return;
    }
  }

  /** A message that cannot be read ends the session. */
  #nextBytes(): Uint8Array | null {
    try {
      return this.#outgoing.next();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.fail(new ClamdError("CLAMD_CANCELLED", reason));
      return null;
    }
  }

  #passDescriptor(): void {
    const descriptor = this.#descriptor;
    if (descriptor === null) return;
    this.#descriptor = null;
    try {
      this.#port.pass(FILDES, descriptor);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.fail(new ClamdError("CLAMD_CLOSED", `the message could not be passed: ${reason}`));
    }
  }

  #ask(command: Uint8Array): Promise<string> {
    if (this.#outgoing.reading || this.#descriptor !== null) {
      return Promise.reject(new ClamdError("CLAMD_BUSY", "a message is being sent"));
    }
    const text = this.#request<string>((settle) => ({ kind: "text", ...settle }), command);
    this.writable();
    return text;
  }

  /** @param command null when it goes out by another way */
  #request<T>(make: (settle: Settle<T>) => Request, command: Uint8Array | null): Promise<T> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#requests.set(++this.#lastId, make({ resolve, reject }));
    if (command !== null) this.#outgoing.command(command);
    return promise;
  }

  #take(text: string): void {
    const reply = parseNumbered(text);
    // Without a number clamd speaks of the connexion, and closes it: COMMAND READ TIMED OUT.
    if (reply.id === null) throw new ClamdError("CLAMD_CLOSED", `clamd says: ${text.slice(0, 200)}`);
    const request = this.#requests.get(reply.id);
    if (request === undefined) {
      throw new ClamdError("CLAMD_PROTOCOL", `an unexpected reply: ${text.slice(0, 200)}`);
    }
    this.#requests.delete(reply.id);
    this.#answers++;
    if (request.kind === "text") {
      request.resolve(reply.text);
      return;
    }
    request.resolve(this.#onScanReply(parseScanReply(reply.text, request.passed)));
  }

  /** A verdict that comes before the whole message has been sent ends the session: the rest is in the way. */
  #onScanReply(reply: ScanReply): ScanReply {
    if (this.sending) {
      this.fail(new ClamdError("CLAMD_CLOSED", "clamd answered before the message was through"));
      if (reply.kind === "clean") {
        return { kind: "failed", text: "answered OK before the message was through" };
      }
    }
    return reply;
  }
}
