import type { MilterError } from "../milter/milter-error.ts";
import type { Wanted } from "../milter/negotiation.ts";
import { MilterSession } from "../milter/session.ts";
import { PROGRESS_INTERVAL } from "../scan/budget.ts";
import { Filter } from "./filter.ts";
import type { FilterWorld } from "./filter-world.ts";
import type { Gate } from "./gate.ts";

type Socket = Bun.Socket<Connexion>;

/** An MTA says its first word at once; what does not is no MTA. Milliseconds. */
const NEGOTIATION_PATIENCE = 30_000;
/** libmilter's own limit for a silent MTA (7210 s): a kept connexion may rest for long. */
const SILENCE_PATIENCE = 7_210_000;
/** Answers that an MTA does not read within this time are not read at all. */
const UNREAD_PATIENCE = 60_000;
const MAX_UNREAD = 1024 * 1024;
/** An MTA that keeps its end open after ours is closed gets no longer than this. */
const FAREWELL_PATIENCE = 5_000;
/** Bytes that a peer may send before it is known whether it may. */
const MAX_EARLY = 128 * 1024;

/** What a connexion tells its child. */
export interface ConnexionEvents {
  /** The peer broke the protocol. */
  onError(peer: string, error: MilterError): void;
  /** Our own fault: it costs this connexion only. */
  onFault(error: unknown): void;
  onClose(connexion: Connexion): void;
}

/** One MTA connexion: its socket, its protocol state, its timers. */
export class Connexion {
  readonly #socket: Socket;
  readonly #session: MilterSession;
  readonly #events: ConnexionEvents;
  readonly #now: () => number;
  #unsent: Uint8Array = new Uint8Array(0);
  #heardAt: number;
  #unsentAt = 0;
  #progressAt = 0;
  #draining = false;
  #endedAt: number | null = null;
  #over = false;
  readonly #local: boolean;
  /** Null while it is not known. */
  #admitted: boolean | null = null;
  #early: Uint8Array[] = [];
  #earlyLength = 0;

  /** @param gate who may connect; null: whoever can */
  constructor(
    socket: Socket,
    worldNow: () => FilterWorld,
    wanted: Wanted,
    events: ConnexionEvents,
    gate: Gate | null,
  ) {
    const world = worldNow();
    this.#socket = socket;
    this.#events = events;
    this.#now = world.now;
    this.#heardAt = world.now();
    this.#session = new MilterSession(
      wanted,
      { send: (bytes) => this.#send(bytes), close: (error) => this.#close(error) },
      (session) => new Filter(worldNow, session, () => this.#admitted === true),
      world.openTrace?.() ?? null,
    );
    this.#local = gate === null;
    if (gate === null) this.#admitted = true;
    else this.#pass(gate);
  }

  /** Whether the MTA waits for our verdict. */
  get verdictDue(): boolean {
    return this.#session.state === "verdictDue";
  }

  receive(bytes: Uint8Array): void {
    this.#heardAt = this.#now();
    this.#progressAt = this.#heardAt;
    if (this.#admitted === null) this.#keepEarly(bytes);
    else this.#guarded(() => this.#session.receive(bytes));
  }

  /** The socket takes bytes again. */
  writable(): void {
    if (this.#unsent.length === 0) return;
    this.#unsent = this.#unsent.subarray(Math.max(0, this.#socket.write(this.#unsent)));
    this.#unsentAt = this.#now();
    if (this.#unsent.length === 0) this.#endIfDrained();
  }

  /** The socket is gone. */
  lost(): void {
    if (this.#over) return;
    this.#over = true;
    this.#guarded(() => this.#session.lost());
    this.#events.onClose(this);
  }

  /** To be called about once a second. */
  tick(): void {
    const now = this.#now();
    if (this.#endedAt !== null) {
      if (now - this.#endedAt > FAREWELL_PATIENCE) this.#terminate();
      return;
    }
    if (this.#unsent.length > 0 && now - this.#unsentAt > UNREAD_PATIENCE) {
      this.#terminate();
      return;
    }
    if (this.verdictDue) {
      if (now - this.#progressAt < PROGRESS_INTERVAL) return;
      this.#progressAt = now;
      this.#session.progress();
      return;
    }
    const patience = this.#session.state === "start" ? NEGOTIATION_PATIENCE : SILENCE_PATIENCE;
    if (now - this.#heardAt > patience) this.#terminate();
  }

  /** Ends as soon as no verdict is due: at once, or with the one that is in the making. */
  drain(): void {
    this.#draining = true;
    this.#endIfDrained();
  }

  #pass(gate: Gate): void {
    const admits = this.#admission(gate);
    if (typeof admits === "boolean") {
      this.#admitted = admits;
      return;
    }
    void admits.then((admitted) => {
      this.#admitted = admitted;
      const early = this.#early;
      this.#early = [];
      if (this.#over || this.#endedAt !== null || early.length === 0) return;
      this.#guarded(() => this.#session.receive(Buffer.concat(early)));
    });
  }

  #admission(gate: Gate): boolean | Promise<boolean> {
    // Each of these is a system call.
    const { remoteAddress, localAddress, localPort } = this.#socket;
    // A peer that is gone already has none.
    return remoteAddress ? gate.admits({ remoteAddress, localAddress, localPort }) : false;
  }

  #keepEarly(bytes: Uint8Array): void {
    this.#earlyLength += bytes.length;
    // The runtime may use its buffer again.
    if (this.#earlyLength <= MAX_EARLY) this.#early.push(new Uint8Array(bytes));
    else this.#terminate();
  }

  #send(bytes: Uint8Array): void {
    if (this.#over) return;
    if (this.#unsent.length > 0) {
      this.#unsent = Buffer.concat([this.#unsent, bytes]);
      if (this.#unsent.length > MAX_UNREAD) this.#terminate();
      return;
    }
    const written = Math.max(0, this.#socket.write(bytes));
    if (written < bytes.length) {
      this.#unsent = bytes.subarray(written);
      this.#unsentAt = this.#now();
      return;
    }
    if (this.#draining) this.#endIfDrained();
  }

  #endIfDrained(): void {
    if (this.#draining && !this.verdictDue && this.#unsent.length === 0) this.#end();
  }

  get #peer(): string {
    return this.#local ? "a local socket" : this.#socket.remoteAddress || "a client that is gone";
  }

  #close(error: MilterError | null): void {
    if (error !== null) this.#events.onError(this.#peer, error);
    this.#end();
  }

  #end(): void {
    this.#endedAt ??= this.#now();
    this.#socket.end();
  }

  #terminate(): void {
    this.#socket.terminate();
    this.lost();
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#events.onFault(error);
      this.#terminate();
    }
  }
}
