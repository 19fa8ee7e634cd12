import { connect } from "node:net";
import { failure } from "../../scripts/debian/failure.ts";
import { type LineBuffer, lineBuffer } from "./lines.ts";
import { DEFAULT_DEADLINE } from "./wait.ts";

/** A server's answer to one command. */
export interface SmtpReply {
  /** What was sent: the command line, `(greeting)` or `(message)`. */
  readonly command: string;
  readonly code: number;
  /** All lines without code and separator, joined by LF. */
  readonly text: string;
}

/** The outcome of one message. */
export interface SendResult {
  readonly replies: readonly SmtpReply[];
  /** Code of the answer that decided: the first refusal (of all recipients), or the answer to the message. */
  readonly code: number;
  readonly text: string;
}

export interface Envelope {
  /** Without angle brackets; empty for the null sender. */
  readonly from: string;
  readonly to: readonly string[];
  /** The message with CRLF ends; leading dots are doubled here. */
  readonly data: string;
  /** Added to the MAIL command, e.g. `BODY=8BITMIME`. */
  readonly mailArguments?: string;
}

export interface ConnectOptions {
  readonly port: number;
  readonly host?: string;
  /** The address that the connexion is to come from. */
  readonly localAddress?: string;
  readonly helo?: string;
  /** Attributes for XCLIENT, e.g. `{ ADDR: "192.0.2.1", NAME: "client.example" }` (Postfix only). */
  readonly xclient?: Readonly<Record<string, string>>;
  /** Milliseconds for each answer; 20,000 unless told. */
  readonly deadline?: number;
}

export interface SmtpSession {
  /** Sends a command line and reads its answer. */
  command(line: string): Promise<SmtpReply>;
  /** Carries one message. */
  send(envelope: Envelope): Promise<SendResult>;
  /** Says QUIT and closes. */
  quit(): Promise<void>;
  /** Closes without a word. */
  drop(): void;
}

/** Something that carries SMTP: a TCP connexion, or the standard streams of `sendmail -bs`. */
export interface SmtpChannel {
  write(text: string): void;
  readonly lines: LineBuffer;
  close(): void;
}

/** How to greet. */
export type GreetOptions = Pick<ConnectOptions, "helo" | "xclient" | "deadline">;

/**
 * Opens an SMTP connexion and greets.
 * @throws code `SMTP_REFUSED` when greeting, EHLO or XCLIENT are refused; `READ_DEADLINE`, `CONNECTION_CLOSED`
 */
export function openSmtp(options: ConnectOptions): Promise<SmtpSession> {
  const { port, host = "127.0.0.1", localAddress } = options;
  const socket = connect({ port, host, ...(localAddress === undefined ? {} : { localAddress }) });
  const lines = lineBuffer();
  socket.on("data", (data: Buffer) => lines.push(data.toString("latin1")));
  socket.on("error", (error) => lines.close(error.message));
  socket.on("close", () => lines.close("the server closed the connexion"));
  const write = (text: string): void => {
    socket.write(text, "latin1");
  };
  const close = (): void => {
    socket.destroy();
  };
  return greet({ write, lines, close }, options);
}

/** Greets over a channel that is open; what {@link openSmtp} says holds here too. */
export async function greet(channel: SmtpChannel, options: GreetOptions = {}): Promise<SmtpSession> {
  const { deadline = DEFAULT_DEADLINE, helo = "client.lab.example", xclient } = options;
  const { write, lines, close } = channel;
  const command = (line: string): Promise<SmtpReply> => {
    write(`${line}\r\n`);
    return readReply(lines, line, deadline);
  };
  const message = (data: string): Promise<SmtpReply> => {
    const ended = data.endsWith("\r\n") ? data : `${data}\r\n`;
    write(`${ended.replace(/(^|\r\n)\./g, "$1..")}.\r\n`);
    return readReply(lines, "(message)", deadline);
  };
  const demand = async (reply: Promise<SmtpReply>): Promise<void> => {
    const { command: sent, code, text } = await reply;
    if (code >= 400) throw failure("SMTP_REFUSED", `${sent}: ${code} ${text}`);
  };
  try {
    await demand(readReply(lines, "(greeting)", deadline));
    await demand(command(`EHLO ${helo}`));
    if (xclient !== undefined) {
      const attributes = Object.entries(xclient).map(([name, value]) => `${name}=${value}`);
      await demand(command(`XCLIENT ${attributes.join(" ")}`));
      await demand(command(`EHLO ${helo}`));
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    command,
    send: (envelope) => carry(envelope, command, message),
    quit: async () => {
      await command("QUIT").catch(() => undefined);
      close();
    },
    drop: close,
  };
}

/** Carries one message over a connexion of its own. */
export async function sendMail(options: ConnectOptions & Envelope): Promise<SendResult> {
  const session = await openSmtp(options);
  try {
    return await session.send(options);
  } finally {
    await session.quit();
  }
}

async function carry(
  envelope: Envelope,
  command: (line: string) => Promise<SmtpReply>,
  message: (data: string) => Promise<SmtpReply>,
): Promise<SendResult> {
  const replies: SmtpReply[] = [];
  const keep = async (reply: Promise<SmtpReply>): Promise<SmtpReply> => {
    const got = await reply;
    replies.push(got);
    return got;
  };
  const decided = ({ code, text }: SmtpReply): SendResult => ({ replies, code, text });
  const suffix = envelope.mailArguments === undefined ? "" : ` ${envelope.mailArguments}`;
  const sender = await keep(command(`MAIL FROM:<${envelope.from}>${suffix}`));
  if (sender.code >= 400) return decided(sender);
  const answers: SmtpReply[] = [];
  for (const to of envelope.to) answers.push(await keep(command(`RCPT TO:<${to}>`)));
  const refused = answers.find(({ code }) => code >= 400);
  if (refused !== undefined && answers.every(({ code }) => code >= 400)) return decided(refused);
  const data = await keep(command("DATA"));
  if (data.code >= 400) return decided(data);
  return decided(await keep(message(envelope.data)));
}

async function readReply(lines: LineBuffer, command: string, deadline: number): Promise<SmtpReply> {
  const texts: string[] = [];
  for (;;) {
    const line = await lines.next(deadline);
    const parts = /^(\d{3})([ -]?)(.*)$/.exec(line);
    if (parts === null) throw failure("SMTP_REFUSED", `${command}: not an SMTP reply: ${line}`);
    texts.push(parts[3] ?? "");
    if (parts[2] !== "-") return { command, code: Number(parts[1]), text: texts.join("\n") };
  }
}
