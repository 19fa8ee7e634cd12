import { chunkLength } from "../../src/clamd/command.ts";

/** What a fake clamd does with one stream that it was sent whole. */
export type Answer =
  /** Its reply, without number and NUL. */
  | { readonly say: string; readonly after?: number }
  /** These bytes as they are, `%id` for the number of the reply, and the end of the connexion if wanted. */
  | { readonly raw: string; readonly close?: boolean }
  /** Closes the connexion in the middle of its reply. */
  | { readonly die: true }
  | { readonly silence: true };

/** A clamd for what a real one cannot be made to do on command: answer late, die in mid-reply, talk nonsense. */
export interface FakeClamd {
  /** Streams taken so far. */
  readonly streams: number;
  /** Streams that were taken and are not answered yet. */
  readonly scanning: number;
  /** As many of those there were at the same time. */
  readonly most: number;
  /** Streams that came by a connexion which had talked nonsense before. */
  readonly reused: number;
  stop(): void;
}

/** How many streams are being scanned. */
interface Load {
  now: number;
  most: number;
}

interface Peer {
  text: Buffer;
  id: number;
  spoiled: boolean;
}

/** Where a fake listens: a unix socket or a port. */
export type FakePlace = string | { readonly hostname: string; readonly port: number };

const TERMINATOR = 0;

/** In every test message of the filter's own: a fake finds the virus in it, and does not count it. */
const CANARY = "clamav-milter-canary";

/**
 * Starts a fake; it knows IDSESSION with PING, VERSION, INSTREAM and END, and takes no
 * descriptor.
 * @param closeAfter bytes of an unfinished command after which it closes a connexion
 */
export function startFakeClamd(
  place: FakePlace,
  answer: (stream: number) => Answer,
  closeAfter: () => number = () => Number.POSITIVE_INFINITY,
): FakeClamd {
  let streams = 0;
  let reused = 0;
  const load: Load = { now: 0, most: 0 };
  const onStream = (): Answer => {
    load.most = Math.max(load.most, ++load.now);
    return answer(++streams);
  };
  const socket: Bun.SocketHandler<Peer> = {
    open(peer) {
      peer.data = { text: Buffer.alloc(0), id: 0, spoiled: false };
    },
    data(peer, bytes) {
      peer.data.text = Buffer.concat([peer.data.text, bytes]);
      if (peer.data.text.length > closeAfter() && !peer.data.text.includes(CANARY)) {
        peer.terminate();
        return;
      }
      const take = (): Answer => {
        if (peer.data.spoiled) reused++;
        const given = onStream();
        peer.data.spoiled = "raw" in given;
        return given;
      };
      while (takeCommand(peer, take, () => load.now--));
    },
  };
  const server =
    typeof place === "string"
      ? Bun.listen<Peer>({ unix: place, socket })
      : Bun.listen<Peer>({ ...place, socket });
  return {
    get streams() {
      return streams;
    },
    get scanning() {
      return load.now;
    },
    get most() {
      return load.most;
    },
    get reused() {
      return reused;
    },
    stop: () => server.stop(true),
  };
}

function takeCommand(socket: Bun.Socket<Peer>, onStream: () => Answer, onAnswered: () => void): boolean {
  const { text } = socket.data;
  const end = text.indexOf(TERMINATOR);
  if (end < 0) return false;
  const command = text.subarray(0, end).toString("latin1");
  const rest = text.subarray(end + 1);
  if (command === "zINSTREAM") {
    const length = streamLength(rest);
    if (length === null) return false;
    socket.data.text = rest.subarray(length);
    const isCanary = rest.subarray(0, length).includes(CANARY);
    const id = ++socket.data.id;
    if (isCanary) give(socket, id, { say: "stream: Eicar FOUND" }, () => {});
    else give(socket, id, onStream(), onAnswered);
    return true;
  }
  socket.data.text = rest;
  if (command === "zPING") socket.write(`${++socket.data.id}: PONG\0`);
  if (command === "zFILDES") {
    // With the byte that the descriptor came with.
    socket.data.text = rest.subarray(1);
    socket.write(`${++socket.data.id}: No file descriptor received. ERROR\0`);
  }
  if (command === "zVERSION") socket.write(`${++socket.data.id}: ClamAV 9.9.9/1/Thu Jan  1 00:00:00 1970\0`);
  if (command === "zEND") socket.end();
  return command !== "zEND";
}

function give(socket: Bun.Socket<Peer>, id: number, answer: Answer, onAnswered: () => void): void {
  if ("silence" in answer) return;
  if ("raw" in answer) {
    onAnswered();
    // A latin1 string: the bytes may be anything.
    socket.write(Buffer.from(answer.raw.replaceAll("%id", String(id)), "latin1"));
    if (answer.close === true) socket.end();
    return;
  }
  if ("die" in answer) {
    onAnswered();
    socket.write(`${id}: stre`);
    socket.end();
    return;
  }
  setTimeout(() => {
    onAnswered();
    socket.write(`${id}: ${answer.say}\0`);
  }, answer.after ?? 0);
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
