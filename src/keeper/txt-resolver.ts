import { randomInt } from "node:crypto";
import { readTxtAnswer, type TxtAnswer, txtQuestion } from "../spf/txt-message.ts";

/** Milliseconds for one server; all are asked so often. */
const PATIENCE = 3000;
const ROUNDS = 2;
/** Servers that are asked, as in resolv.conf(5). */
const MOST_SERVERS = 3;
const PORT = 53;
/** Bytes in front of a message over TCP. */
const LENGTH = 2;

interface Server {
  readonly hostname: string;
  readonly port: number;
}

/**
 * All TXT records of a name, each in its pieces.
 * @param servers as `Resolver.getServers()` gives them
 * @throws Error with the code `ENOTFOUND`, `ENODATA`, `ESERVFAIL`, `ETIMEOUT` or `EBADNAME`
 */
export async function resolveTxt(
  name: string,
  servers: readonly string[],
): Promise<readonly (readonly string[])[]> {
  let code = "ETIMEOUT";
  for (let round = 0; round < ROUNDS; round++) {
    for (const server of servers.slice(0, MOST_SERVERS).map(serverOf)) {
      const answer = await ask(name, server);
      if (answer?.kind === "records") return answer.records;
      if (answer?.kind !== "failed") continue;
      if (answer.code !== "ESERVFAIL") throw failure(name, answer.code);
      code = answer.code;
    }
  }
  throw failure(name, code);
}

/** @returns null when there is no answer that can be used */
async function ask(name: string, server: Server): Promise<TxtAnswer | null> {
  const question = txtQuestion(randomInt(0x10000), name);
  const answer = await exchange(askByDatagram, question, server);
  return answer?.kind === "truncated" ? exchange(askByStream, question, server) : answer;
}

type Way = (
  question: Buffer,
  server: Server,
  onAnswer: (answer: TxtAnswer | null) => void,
) => Promise<{ close(): void }>;

/** One question in one way, within its time. */
async function exchange(way: Way, question: Buffer, server: Server): Promise<TxtAnswer | null> {
  const { promise, resolve } = Promise.withResolvers<TxtAnswer | null>();
  const timer = setTimeout(() => resolve(null), PATIENCE);
  const opening = way(question, server, resolve);
  // One that cannot be opened, or only after its time, is no answer either.
  opening.catch(() => resolve(null));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    opening.then(
      (opened) => opened.close(),
      () => {},
    );
  }
}

/** A port of its own for each question; the kernel takes answers of that server's only. */
const askByDatagram: Way = async (question, server, onAnswer) => {
  const socket = await Bun.udpSocket({
    connect: server,
    socket: {
      data: (_socket, bytes) => {
        const answer = readTxtAnswer(question, bytes);
        // What is no answer to it may be somebody's guess: the right one may still come.
        if (answer !== null) onAnswer(answer);
      },
      error: () => onAnswer(null),
    },
  });
  try {
    socket.send(question);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
};

const askByStream: Way = async (question, server, onAnswer) => {
  let got = Buffer.alloc(0);
  const socket = await Bun.connect({
    ...server,
    socket: {
      data: (_socket, bytes) => {
        got = Buffer.concat([got, bytes]);
        if (got.length < LENGTH || got.length < LENGTH + got.readUInt16BE(0)) return;
        onAnswer(readTxtAnswer(question, got.subarray(LENGTH, LENGTH + got.readUInt16BE(0))));
      },
      close: () => onAnswer(null),
      error: () => onAnswer(null),
    },
  });
  const length = Buffer.alloc(LENGTH);
  length.writeUInt16BE(question.length);
  socket.write(Buffer.concat([length, question]));
  return { close: () => socket.terminate() };
};

/** `192.0.2.1`, `2001:db8::1`, `192.0.2.1:5353` or `[2001:db8::1]:5353`. */
function serverOf(text: string): Server {
  const withPort = /^\[(.*)\]:(\d+)$/.exec(text) ?? /^([^:]*):(\d+)$/.exec(text);
  return withPort === null
    ? { hostname: text, port: PORT }
    : { hostname: withPort[1] ?? "", port: Number(withPort[2]) };
}

function failure(name: string, code: string): Error {
  return Object.assign(new Error(`${code}: the TXT records of ${name}`), { code });
}
