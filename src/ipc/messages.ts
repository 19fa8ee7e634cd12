import type { Settings } from "../config/settings.ts";

/** From the supervisor to a child. */
export type ToChild =
  | { readonly type: "start"; readonly settings: Settings; readonly options: ChildOptions }
  /** Accept nothing more, give the messages in scanning their verdicts, then end. */
  | { readonly type: "drain" };

/** What one child is told besides the settings. */
export interface ChildOptions {
  /** Descriptors of the listening sockets. */
  readonly listeners: readonly number[];
  /** Sessions to each clamd that this child may open. */
  readonly sessionsPerServer: number;
  /** MTA connexions that this child may hold. */
  readonly maxConnexions: number;
  /** This host's name, for the headers. */
  readonly hostName: string;
}

/** From a child to the supervisor. */
export type FromChild =
  /** Mail is accepted on every listening socket. */
  { readonly type: "ready" };

/** The message if it is one that a child may send, else null. */
export function checkFromChild(message: unknown): FromChild | null {
  return typeof message === "object" && message !== null && "type" in message && message.type === "ready"
    ? { type: "ready" }
    : null;
}

/** The message if it is one of the supervisor's, else null. The supervisor is trusted: only the type is checked. */
export function checkToChild(message: unknown): ToChild | null {
  if (typeof message !== "object" || message === null || !("type" in message)) return null;
  return message.type === "start" || message.type === "drain" ? (message as ToChild) : null;
}
