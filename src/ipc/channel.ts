/** The longest message one process may send another, in bytes of JSON. */
export const MAX_MESSAGE = 256 * 1024;

const LINE_FEED = 0x0a;
const MOST_PIECES = 64;

/** The other process broke the rules of the channel: it is not to be trusted any more. */
export class ChannelError extends Error {
  readonly code = "IPC_MESSAGE";
}

/** Cuts a stream of bytes into JSON messages, one a line, none longer than MAX_MESSAGE. */
export class MessageDecoder {
  #kept: Uint8Array[] = [];
  #length = 0;

  /**
   * The messages that are whole now, as whatever JSON they are: the receiver checks them.
   * @throws ChannelError when one is too long or no JSON; messages in front of it in `bytes` are lost, too: whoever
   *   breaks the rules is not listened to
   */
  push(bytes: Uint8Array): unknown[] {
    const messages: unknown[] = [];
    let from = 0;
    for (;;) {
      const end = bytes.indexOf(LINE_FEED, from);
      this.#keep(bytes.subarray(from, end < 0 ? bytes.length : end));
      if (end < 0) return messages;
      messages.push(parse(Buffer.concat(this.#kept)));
      this.#kept = [];
      this.#length = 0;
      from = end + 1;
    }
  }

  #keep(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (this.#length > MAX_MESSAGE) throw new ChannelError(`a message is longer than ${MAX_MESSAGE} bytes`);
    if (bytes.length > 0) this.#kept.push(bytes);
    // Many small pieces would cost more than their bytes.
    if (this.#kept.length > MOST_PIECES) this.#kept = [Buffer.concat(this.#kept)];
  }
}

function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString("utf8"));
  } catch {
    throw new ChannelError("a message is not JSON");
  }
}

/** A channel to another process of this program. */
export interface Channel {
  send(message: object): void;
  close(): void;
}

/** What a channel tells its owner. */
export interface ChannelEvents {
  onMessage(message: unknown): void;
  /** The other end is gone, or it broke the rules. Told once. */
  onEnd(error: ChannelError | null): void;
}

/** Bytes that may wait for a process that does not read; then it is as good as dead. */
const MAX_UNSENT = 4 * 1024 * 1024;

/** Opens a channel on a connected stream socket, which it owns from then on. */
export async function openChannel(fd: number, events: ChannelEvents): Promise<Channel> {
  const decoder = new MessageDecoder();
  let unsent: Uint8Array = new Uint8Array(0);
  let ended = false;
  const end = (socket: Bun.Socket<undefined>, error: ChannelError | null): void => {
    if (ended) return;
    ended = true;
    socket.terminate();
    events.onEnd(error);
  };
  const flush = (socket: Bun.Socket<undefined>): void => {
    if (unsent.length === 0) return;
    unsent = unsent.subarray(Math.max(0, socket.write(unsent)));
  };
  const socket = await Bun.connect<undefined>({
    fd,
    socket: {
      data(self, bytes) {
        try {
          for (const message of decoder.push(bytes)) if (!ended) events.onMessage(message);
        } catch (error) {
          if (!(error instanceof ChannelError)) throw error;
          end(self, error);
        }
      },
      drain: flush,
      close: (self) => end(self, null),
      error: (self) => end(self, null),
    },
  });
  return {
    send(message) {
      if (ended) return;
      unsent = Buffer.concat([unsent, Buffer.from(`${JSON.stringify(message)}\n`)]);
      flush(socket);
      if (unsent.length > MAX_UNSENT) end(socket, new ChannelError("the other process does not read"));
    },
    close: () => end(socket, null),
  };
}
