import { createServer, type Socket } from "node:net";
import { failure } from "../../scripts/debian/failure.ts";
import { DEFAULT_DEADLINE, until } from "./wait.ts";

/** A message the sink took. */
export interface TakenMail {
  /** Envelope sender without the angle brackets; empty for the null sender. */
  readonly from: string;
  /** Envelope recipients without the angle brackets. */
  readonly rcpts: readonly string[];
  /** Header and body as they came, dot-stuffing undone, CRLF ends, as latin1. */
  readonly data: string;
}

export interface Sink {
  /** TCP port on 127.0.0.1. */
  readonly port: number;
  /** Everything taken so far, oldest first. */
  readonly mails: readonly TakenMail[];
  /**
   * Waits for a message that fulfils a condition, past ones included.
   * @param deadline milliseconds, 20,000 unless told
   * @throws code `WAITED_TOO_LONG` with the messages that did come
   */
  waitForMail(predicate: (mail: TakenMail) => boolean, deadline?: number): Promise<TakenMail>;
  /** Forgets what was taken. */
  clear(): void;
  /** Closes the port and all connexions; more than once does no harm. */
  stop(): Promise<void>;
}

interface Session {
  from: string;
  rcpts: string[];
  /** Lines of the message while it flows. */
  data: string[] | undefined;
  rest: string;
}

/**
 * Starts an SMTP server that takes every message and keeps it.
 * @param port where to listen on 127.0.0.1; a free port unless told
 */
export async function startSink(port = 0): Promise<Sink> {
  const mails: TakenMail[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    serve(socket, (mail) => mails.push(mail));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw failure("NO_PORT", "the sink got no TCP port");
  let stopped = false;
  return {
    port: address.port,
    mails,
    waitForMail: (predicate, deadline = DEFAULT_DEADLINE) =>
      until(() => mails.find(predicate), {
        deadline,
        what: "a message at the sink",
        detail: () => `it has ${mails.length}:\n${mails.map((mail) => JSON.stringify(mail)).join("\n")}`,
      }),
    clear: () => {
      mails.length = 0;
    },
    stop: async () => {
      if (stopped) return;
      stopped = true;
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function serve(socket: Socket, keep: (mail: TakenMail) => void): void {
  const session: Session = { from: "", rcpts: [], data: undefined, rest: "" };
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    const lines = (session.rest + chunk.toString("latin1")).split("\r\n");
    session.rest = lines.pop() ?? "";
    const replies = lines.map((line) => takeLine(session, line, keep)).join("");
    if (replies !== "") socket.write(replies);
    if (replies.endsWith("221 bye\r\n")) socket.end();
  });
  socket.write("220 sink.example ESMTP\r\n");
}

/** @returns what to answer, empty while a message flows */
function takeLine(session: Session, line: string, keep: (mail: TakenMail) => void): string {
  if (session.data !== undefined) {
    if (line !== ".") {
      session.data.push(line.startsWith(".") ? line.slice(1) : line);
      return "";
    }
    keep({ from: session.from, rcpts: session.rcpts, data: `${session.data.join("\r\n")}\r\n` });
    session.data = undefined;
    session.rcpts = [];
    return "250 2.0.0 kept\r\n";
  }
  const address = /<([^>]*)>/.exec(line)?.[1] ?? "";
  switch (line.slice(0, 4).toUpperCase()) {
    case "EHLO":
      return "250-sink.example\r\n250-8BITMIME\r\n250 SIZE 0\r\n";
    case "MAIL":
      session.from = address;
      session.rcpts = [];
      return "250 2.1.0 ok\r\n";
    case "RCPT":
      session.rcpts.push(address);
      return "250 2.1.5 ok\r\n";
    case "DATA":
      session.data = [];
      return "354 go on\r\n";
    case "QUIT":
      return "221 bye\r\n";
    default:
      return "250 2.0.0 ok\r\n";
  }
}
