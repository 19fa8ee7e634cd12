import type { SyslogSocket } from "../os/log-output.ts";
import type { LogEvent, OpenSink } from "./event.ts";
import { lostEvent } from "./line-sinks.ts";

/** What the sink needs of the world. */
export interface SyslogEdge {
  /** @throws Error when syslogd is not there */
  connect(): SyslogSocket;
  /** Does the work once, later; the program does not stay alive for it. Answers how to call it off. */
  after(milliseconds: number, work: () => void): () => void;
}

/** Messages that wait for syslogd; what comes when there are so many is lost. */
export const MAX_WAITING = 1000;
/** Milliseconds until a syslogd that is behind, and one that is not there, are tried again. */
const BEHIND_PAUSE = 5;
const ABSENT_PAUSE = 500;

/** What a message came to. */
type Fate = "sent" | "hopeless" | "behind" | "absent";

/** Syslog: messages wait in a bounded queue while syslogd is behind, restarts, or has not started yet. */
export class SyslogSink implements OpenSink {
  readonly #edge: SyslogEdge;
  readonly #messageOf: (event: LogEvent, at: Date) => string;
  #socket: SyslogSocket | null = null;
  #waiting: Uint8Array[] = [];
  #lost = 0;
  #obstacle: "behind" | "absent" | null = null;
  #callOff: (() => void) | null = null;

  constructor(edge: SyslogEdge, messageOf: (event: LogEvent, at: Date) => string) {
    this.#edge = edge;
    this.#messageOf = messageOf;
  }

  /** Whether syslogd took what it was last given, or nothing was given yet and it answers. */
  get reachable(): boolean {
    if (this.#obstacle !== null) return false;
    try {
      this.#socket ??= this.#edge.connect();
      return true;
    } catch {
      return false;
    }
  }

  write(event: LogEvent, at: Date): void {
    const behindLoss = this.#lost > 0 && this.#waiting.length > 0;
    if (behindLoss || this.#waiting.length >= MAX_WAITING) {
      // Order is kept: the note that tells of the loss comes before anything newer.
      this.#lost++;
    } else {
      if (this.#lost > 0) this.#tellLost();
      this.#waiting.push(Buffer.from(this.#messageOf(event, at)));
    }
    // A syslogd that is behind takes the next one soon; to look for one at every line would cost too much.
    if (this.#obstacle !== "absent") this.#flush();
  }

  /** Gives syslogd what it takes now; the rest is lost. */
  close(): void {
    this.#flush();
    this.#callOff?.();
    this.#disconnect();
  }

  #flush(): void {
    while (this.#waiting.length > 0) {
      const fate = this.#send(this.#waiting[0] ?? new Uint8Array(0));
      if (fate === "behind" || fate === "absent") {
        this.#wait(fate);
        return;
      }
      this.#waiting.shift();
      if (fate === "hopeless") this.#lost++;
      else if (this.#waiting.length === 0 && this.#lost > 0) this.#tellLost();
    }
    this.#obstacle = null;
  }

  #tellLost(): void {
    this.#waiting.push(Buffer.from(this.#messageOf(lostEvent(this.#lost), new Date())));
    this.#lost = 0;
  }

  #wait(obstacle: "behind" | "absent"): void {
    this.#obstacle = obstacle;
    if (this.#callOff !== null) return;
    this.#callOff = this.#edge.after(obstacle === "behind" ? BEHIND_PAUSE : ABSENT_PAUSE, () => {
      this.#callOff = null;
      this.#flush();
    });
  }

  /** A syslogd that was restarted has a new socket, so that a failure is followed by one attempt with that. */
  #send(message: Uint8Array): Fate {
    const connected = this.#socket !== null;
    try {
      this.#socket ??= this.#edge.connect();
      this.#socket.send(message);
      return "sent";
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : "";
      if (code === "EMSGSIZE") return "hopeless";
      if (this.#socket !== null && (code === "EAGAIN" || code === "ENOBUFS")) return "behind";
      this.#disconnect();
      return connected ? this.#send(message) : "absent";
    }
  }

  #disconnect(): void {
    this.#socket?.close();
    this.#socket = null;
  }
}
