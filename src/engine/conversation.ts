/** The server's end of clamd's protocol (clamd(8)), for one connexion. Knows no socket and no library. */

/** What a client wants done. */
export interface ScanOrder {
  /** The command's number in the session, or null outside of one. */
  readonly number: number | null;
  readonly lineFeed: boolean;
  /** Descriptor of a file: passed by the client, or the stream that was collected. */
  readonly file: number;
  readonly byDescriptor: boolean;
}

/** What a conversation needs of the world. */
export interface ConversationEdge {
  /** As VERSION tells it. */
  readonly version: string;
  /** Bytes of a stream; 0: no limit. */
  readonly streamMaxLength: number;
  /** Threads that scan, for STATS. */
  readonly threads: number;
  send(text: string): void;
  /** The conversation owns the order's file no more. */
  scan(order: ScanOrder): void;
  /** An empty file for a stream. @throws Error */
  openStream(): number;
  /** @throws Error when the memory is full */
  writeStream(fd: number, bytes: Uint8Array): void;
  closeFile(fd: number): void;
  /** Nothing more is read; answers that are under way still go out. */
  close(): void;
}

/** No command is longer; whoever sends one is no client of ours. */
const LONGEST_COMMAND = 64;
/** Passed descriptors that wait for their command. */
const MOST_DESCRIPTORS = 16;
const LINE_FEED = 0x0a;

type Mode =
  | { readonly kind: "command" }
  | { readonly kind: "descriptor" }
  | { readonly kind: "stream"; readonly file: number; size: number; left: number; readonly head: number[] };

/** What a client says, piece by piece. */
export class Conversation {
  readonly #edge: ConversationEdge;
  readonly #descriptors: number[] = [];
  #mode: Mode = { kind: "command" };
  #line = "";
  #lineFeed = false;
  #inSession = false;
  #number = 0;
  #closed = false;

  constructor(edge: ConversationEdge) {
    this.#edge = edge;
  }

  /** Whether the client is between two commands. */
  get idle(): boolean {
    return this.#mode.kind === "command" && this.#line === "";
  }

  /** Takes what came, descriptors first: they come with the last byte at the latest. */
  receive(bytes: Uint8Array, descriptors: readonly number[]): void {
    this.#descriptors.push(...descriptors);
    if (this.#descriptors.length > MOST_DESCRIPTORS) this.#end();
    for (let at = 0; at < bytes.length && !this.#closed; ) at += this.#take(bytes, at);
  }

  /** The connexion is over: gives back what is held. */
  release(): void {
    this.#closed = true;
    for (const fd of this.#descriptors.splice(0)) this.#edge.closeFile(fd);
    if (this.#mode.kind === "stream") this.#edge.closeFile(this.#mode.file);
    this.#mode = { kind: "command" };
  }

  /** Takes some of the bytes from `at` on; answers how many. */
  #take(bytes: Uint8Array, at: number): number {
    if (this.#mode.kind === "stream") return this.#takeStream(this.#mode, bytes, at);
    if (this.#mode.kind === "descriptor") {
      this.#takeDescriptor();
      return 1;
    }
    return this.#takeCommand(bytes, at);
  }

  #takeCommand(bytes: Uint8Array, at: number): number {
    const first = this.#line === "" ? String.fromCharCode(bytes[at] ?? 0) : this.#line.charAt(0);
    if (first !== "z" && first !== "n") {
      this.#refuse("UNKNOWN COMMAND");
      return bytes.length - at;
    }
    this.#lineFeed = first === "n";
    const end = bytes.indexOf(this.#lineFeed ? LINE_FEED : 0, at);
    const upTo = end < 0 ? bytes.length : end;
    this.#line += Buffer.from(bytes.subarray(at, Math.min(upTo, at + LONGEST_COMMAND + 1))).toString(
      "latin1",
    );
    if (this.#line.length > LONGEST_COMMAND) {
      this.#refuse("UNKNOWN COMMAND");
      return bytes.length - at;
    }
    if (end >= 0) {
      const command = this.#line.slice(1);
      this.#line = "";
      this.#do(command);
    }
    return Math.max(1, upTo - at + (end < 0 ? 0 : 1));
  }

  #do(command: string): void {
    if (command === "IDSESSION" && !this.#inSession) {
      this.#inSession = true;
      return;
    }
    if (command === "END" && this.#inSession) {
      this.#end();
      return;
    }
    if (this.#inSession) this.#number++;
    if (command === "FILDES") this.#mode = { kind: "descriptor" };
    else if (command === "INSTREAM") this.#beginStream();
    else if (command === "PING") this.#answer("PONG");
    else if (command === "VERSION") this.#answer(this.#edge.version);
    else if (command === "STATS") this.#answer(statistics(this.#edge.threads));
    else this.#refuse("UNKNOWN COMMAND");
  }

  /** The one byte after FILDES, with which the descriptor comes. */
  #takeDescriptor(): void {
    this.#mode = { kind: "command" };
    const file = this.#descriptors.shift();
    if (file === undefined) this.#refuse("No file descriptor received. ERROR");
    else this.#order(file, true);
  }

  #order(file: number, byDescriptor: boolean): void {
    const number = this.#inSession ? this.#number : null;
    this.#edge.scan({ number, lineFeed: this.#lineFeed, file, byDescriptor });
    if (!this.#inSession) this.#end();
  }

  #beginStream(): void {
    try {
      this.#mode = { kind: "stream", file: this.#edge.openStream(), size: 0, left: 0, head: [] };
    } catch {
      this.#refuse("Can't create temporary file. ERROR");
    }
  }

  #takeStream(stream: Extract<Mode, { kind: "stream" }>, bytes: Uint8Array, at: number): number {
    if (stream.left === 0) {
      stream.head.push(bytes[at] ?? 0);
      if (stream.head.length === 4) this.#beginChunk(stream);
      return 1;
    }
    const count = Math.min(stream.left, bytes.length - at);
    try {
      this.#edge.writeStream(stream.file, bytes.subarray(at, at + count));
    } catch {
      this.#refuse("Error writing to temporary file. ERROR");
    }
    stream.left -= count;
    return count;
  }

  #beginChunk(stream: Extract<Mode, { kind: "stream" }>): void {
    const [a = 0, b = 0, c = 0, d = 0] = stream.head.splice(0);
    const length = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
    const { streamMaxLength: limit } = this.#edge;
    stream.size += length;
    stream.left = length;
    if (limit > 0 && stream.size > limit) this.#refuse("INSTREAM size limit exceeded. ERROR");
    else if (length === 0) {
      this.#mode = { kind: "command" };
      this.#order(stream.file, false);
    }
  }

  #answer(text: string): void {
    this.#edge.send(answerText(this.#inSession ? this.#number : null, text, this.#lineFeed));
    if (!this.#inSession) this.#end();
  }

  #refuse(text: string): void {
    this.#edge.send(answerText(this.#inSession ? this.#number : null, text, this.#lineFeed));
    this.#end();
  }

  #end(): void {
    if (this.#closed) return;
    this.release();
    this.#edge.close();
  }
}

/** An answer as clamd frames it. */
export function answerText(number: number | null, text: string, lineFeed: boolean): string {
  return `${number === null ? "" : `${number}: `}${text}${lineFeed ? "\n" : "\0"}`;
}

/** The lines of clamd's STATS that a client may go by. */
function statistics(threads: number): string {
  const pool = `THREADS: live ${threads}  idle 0 max ${threads} idle-timeout 30`;
  return `POOLS: 1\n\nSTATE: VALID PRIMARY\n${pool}\nQUEUE: 0 items\nEND`;
}
