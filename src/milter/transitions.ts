import type { MtaCommand } from "./commands.ts";

/** Where a milter conversation stands. */
export type State =
  | "start"
  | "negotiated"
  | "connected"
  | "greeted"
  | "mail"
  | "rcpt"
  | "data"
  | "headers"
  | "endOfHeaders"
  | "body"
  /** The end of the message was told; the verdict is due from us. */
  | "verdictDue";

export type CommandKind = MtaCommand["kind"];

type Row = Readonly<Partial<Record<CommandKind, State>>>;

/** Legal wherever a conversation has begun. QUIT ends it, so that its next state does not matter. */
const ALWAYS: Row = { quit: "negotiated", quitNewConnexion: "negotiated" };
const BETWEEN: Row = { ...ALWAYS, helo: "greeted", mail: "mail" };
/** sendmail drops a message without SMFIC_ABORT when the client goes on with a new MAIL: as good as an abort. */
const IN_MESSAGE: Row = { ...ALWAYS, abort: "greeted", mail: "mail" };
const CONTENT: Row = {
  header: "headers",
  endOfHeaders: "endOfHeaders",
  body: "body",
  endOfBody: "verdictDue",
};

/**
 * State and command to next state; what is not here is illegal and ends the connexion. After libmilter's
 * next_states (engine.c), with two differences: ABORT is legal in every state but the first, and an MTA may leave out the
 * end of the headers.
 */
const TABLE: Readonly<Record<State, Row>> = {
  start: { quit: "start", negotiate: "negotiated", macro: "start" },
  negotiated: {
    ...ALWAYS,
    connect: "connected",
    abort: "negotiated",
    macro: "negotiated",
    unknown: "negotiated",
  },
  connected: { ...BETWEEN, abort: "connected", macro: "connected", unknown: "connected" },
  greeted: { ...BETWEEN, abort: "greeted", macro: "greeted", unknown: "greeted" },
  mail: { ...IN_MESSAGE, rcpt: "rcpt", macro: "mail", unknown: "mail" },
  rcpt: { ...IN_MESSAGE, ...CONTENT, rcpt: "rcpt", data: "data", macro: "rcpt", unknown: "rcpt" },
  data: { ...IN_MESSAGE, ...CONTENT, macro: "data", unknown: "data" },
  headers: { ...IN_MESSAGE, ...CONTENT, macro: "headers" },
  endOfHeaders: { ...IN_MESSAGE, body: "body", endOfBody: "verdictDue", macro: "endOfHeaders" },
  body: { ...IN_MESSAGE, body: "body", endOfBody: "verdictDue", macro: "body" },
  verdictDue: { quit: "negotiated", quitNewConnexion: "negotiated", abort: "greeted", macro: "verdictDue" },
};

/** The state after `command`, or undefined when it is illegal in `state`. */
export function nextState(state: State, command: CommandKind): State | undefined {
  return TABLE[state][command];
}

/** Whether a message has begun and has not got its verdict. */
export function inMessage(state: State): boolean {
  return state !== "start" && state !== "negotiated" && state !== "connected" && state !== "greeted";
}
