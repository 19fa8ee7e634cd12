import { chunkLength } from "../../src/clamd/command.ts";

/** What a fake clamd does with one stream that it was sent whole. */
export type Answer =
  /** Its reply, without number and NUL. */
  | { readonly say: string; readonly after?: number }
  /** Closes the connexion in the middle of its reply. */
  | { readonly die: true }
  | { readonly silence: true };

/** A clamd for what a real one cannot be made to do on command: answer late, die in mid-reply, talk nonsense. */
export interface FakeClamd {
  /** Streams taken so far. */
  readonly streams: number;
  stop(): void;
}

interface Peer {
  text: Buffer;
  id: number;
}

const TERMINATOR = 0;

/** Starts a fake on a unix socket; it knows IDSESSION with VERSION, INSTREAM and END. */
export function startFakeClamd(path: string, answer: (stream: number) => Answer): FakeClamd {
  let streams = 0;
  const server = Bun.listen<Peer>({
    unix: path,
    socket: {
      open(socket) {
        socket.data = { text: Buffer.alloc(0), id: 0 };
      },
      data(socket, bytes) {
        socket.data.text = Buffer.concat([socket.data.text, bytes]);
        while (takeCommand(socket, () => answer(++streams)));
      },
    },
  });
  return {
    get streams() {
      return streams;
    },
    stop: () => server.stop(true),
  };
}

function takeCommand(socket: Bun.Socket<Peer>, onStream: () => Answer): boolean {
  const { text } = socket.data;
  const end = text.indexOf(TERMINATOR);
  if (end < 0) return false;
  const command = text.subarray(0, end).toString("latin1");
  const rest = text.subarray(end + 1);
  if (command === "zINSTREAM") {
    const length = streamLength(rest);
    if (length === null) return false;
    socket.data.text = rest.subarray(length);
    give(socket, ++socket.data.id, onStream());
    return true;
  }
  socket.data.text = rest;
  if (command === "zVERSION") socket.write(`${++socket.data.id}: ClamAV 9.9.9/1/Thu Jan  1 00:00:00 1970\0`);
  if (command === "zEND") socket.end();
  return command !== "zEND";
}

function give(socket: Bun.Socket<Peer>, id: number, answer: Answer): void {
  if ("silence" in answer) return;
  if ("die" in answer) {
    socket.write(`${id}: stre`);
    socket.end();
    return;
  }
  setTimeout(() => socket.write(`${id}: ${answer.say}\0`), answer.after ?? 0);
}

/** Bytes of the chunks up to and with the zero that ends them; null while that has not come. */
function streamLength(bytes: Buffer): number | null {
  const header = chunkLength(0).length;
  for (let at = 0; at + header <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    at += header + length;
    if (length === 0) return at;
  }
  return null;
}
