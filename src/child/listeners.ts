import type { Log } from "../log/log.ts";
import type { MilterError } from "../milter/milter-error.ts";
import type { Wanted } from "../milter/negotiation.ts";
import { duplicate } from "../os/libc.ts";
import { hasWaiting, isUnixSocket } from "../os/socket-state.ts";
import { Connexion, type ConnexionEvents } from "./connexion.ts";
import { Crowd } from "./crowd.ts";
import type { FilterWorld } from "./filter-world.ts";
import type { Gate } from "./gate.ts";
import { needsOf, wantedOf } from "./wanted.ts";

/** Complaints about peers that speak no milter: so many a minute, the rest are counted. */
const COMPLAINTS = 10;
const COMPLAINTS_PERIOD = 60_000;

/** Connexions that nobody accepts are looked for so many times, with so long between. Milliseconds. */
const LOOKS = 12;
const BETWEEN_LOOKS = 50;
/**
 * So many connexions are accepted in one turn of the event loop. The runtime would take all that wait: one process
 * would have them all before another is awake.
 */
const AT_ONCE = 4;

/** The listening sockets of a child and the MTA connexions that came in by them. */
export class Listeners implements ConnexionEvents {
  readonly #descriptors: readonly number[];
  readonly #limit: number;
  readonly #world: () => FilterWorld;
  readonly #log: Log;
  readonly #gate: Gate;
  readonly #connexions = new Set<Connexion>();
  readonly #crowd: Crowd;
  #open: Bun.SocketListener<Connexion>[] = [];
  /** Whether this child is one that accepts. */
  #accepts = true;
  /** Connexions so far. */
  #accepted = 0;
  #acceptedInTurn = 0;
  #received = 0;
  #onDrained: (() => void) | null = null;
  #complaints = 0;
  #complaintsSince = Number.NEGATIVE_INFINITY;
  /** What is negotiated, and what it follows from: found out once, not by each connexion. */
  #wanted: { readonly world: FilterWorld; readonly macros: readonly string[]; readonly of: Wanted } | null =
    null;

  /** @param onCrowded is told when others are to accept, too, and when no longer */
  constructor(
    descriptors: readonly number[],
    limit: number,
    world: () => FilterWorld,
    log: Log,
    gate: Gate,
    onCrowded: (crowded: boolean) => void,
  ) {
    this.#crowd = new Crowd(onCrowded);
    this.#descriptors = descriptors;
    this.#limit = limit;
    this.#world = world;
    this.#log = log;
    this.#gate = gate;
    this.#resume();
  }

  /** What has come in so far, in pieces. */
  get received(): number {
    return this.#received;
  }

  tick(): void {
    // What could not be opened when places came free is tried again.
    this.#resume();
    this.#lookForWaiting(LOOKS, this.#accepted);
    this.#crowd.tick(this.#connexions.size);
    for (const connexion of this.#connexions) connexion.tick();
  }

  /** Whether this child is to accept connexions: others may do for all of them. */
  accept(on: boolean): void {
    this.#accepts = on;
    if (on) this.#resume();
    else this.#pause();
  }

  /** Accepts no more; `done` is called when the last connexion has ended. */
  drain(done: () => void): void {
    this.#onDrained = done;
    this.#pause();
    for (const connexion of this.#connexions) connexion.drain();
    this.#checkDrained();
  }

  onError(peer: string, error: MilterError): void {
    const now = this.#world().now();
    if (now - this.#complaintsSince > COMPLAINTS_PERIOD) {
      const unsaid = this.#complaints - COMPLAINTS;
      if (unsaid > 0) this.#log("warning", `${unsaid} more connexions broke the milter protocol`);
      this.#complaintsSince = now;
      this.#complaints = 0;
    }
    if (++this.#complaints <= COMPLAINTS) {
      this.#log("warning", `connexion from ${peer} closed: ${error.message}`);
    }
  }

  onFault(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log("error", `a fault of this program, one connexion is lost: ${text}`);
  }

  onClose(connexion: Connexion): void {
    if (!this.#connexions.delete(connexion)) return;
    if (this.#onDrained !== null) this.#checkDrained();
    else this.#resume();
  }

  /** Listens, if it is to. The runtime closes what it listens on: each time it is given a copy of the descriptor. */
  #resume(): void {
    if (this.#open.length > 0 || !this.#accepts || this.#onDrained !== null || !this.#hasPlaces()) return;
    try {
      for (const descriptor of this.#descriptors) {
        // Whoever comes by a unix socket is not asked: its mode says who may.
        const gate = isUnixSocket(descriptor) ? null : this.#gate;
        this.#open.push(Bun.listen<Connexion>({ fd: duplicate(descriptor), socket: this.#handler(gate) }));
      }
    } catch (error) {
      this.#pause();
      this.#log("error", `no connexions are accepted: ${error instanceof Error ? error.message : error}`);
      this.#crowd.declare();
    }
  }

  /**
   * The child that is to accept may hang, or lack descriptors, or the supervisor hangs: nobody's mail waits until that
   * is seen by others. A busy child leaves nobody waiting at each of so many looks.
   * @param accepted connexions that this child had accepted at the first look: who accepts needs no help
   */
  #lookForWaiting(looks: number, accepted: number): void {
    const helpless = this.#onDrained === null && this.#accepted === accepted;
    if (!helpless || !this.#descriptors.some(hasWaiting)) return;
    if (looks > 1) {
      setTimeout(() => this.#lookForWaiting(looks - 1, accepted), BETWEEN_LOOKS);
      return;
    }
    this.#crowd.declare();
    this.accept(true);
  }

  #hasPlaces(): boolean {
    return this.#connexions.size < this.#limit * RESUME_BELOW;
  }

  #countAccepted(): void {
    this.#accepted++;
    if (++this.#acceptedInTurn === 1) {
      setImmediate(() => {
        this.#acceptedInTurn = 0;
        this.#resume();
      });
    }
    if (this.#acceptedInTurn >= AT_ONCE) this.#pause();
  }

  /** Others accept; if all are full, the MTA waits in the backlog. */
  #pause(): void {
    for (const listener of this.#open) listener.stop();
    this.#open = [];
  }

  #handler(gate: Gate | null): Bun.SocketHandler<Connexion> {
    return {
      open: (socket) => {
        socket.data = new Connexion(socket, this.#world, this.#wantedNow(), this, gate);
        this.#connexions.add(socket.data);
        this.#countAccepted();
        if (this.#onDrained !== null) socket.data.drain();
        else if (this.#connexions.size >= this.#limit) this.#pause();
        this.#crowd.opened(this.#connexions.size);
      },
      data: (socket, bytes) => {
        this.#received++;
        socket.data.receive(bytes);
      },
      drain: (socket) => socket.data.writable(),
      close: (socket) => socket.data?.lost(),
      error: (socket, error) => {
        this.onFault(error);
        socket.terminate();
      },
    };
  }

  #wantedNow(): Wanted {
    const world = this.#world();
    const { macros } = world.desk;
    const kept = this.#wanted;
    if (kept !== null && kept.world === world && kept.macros === macros) return kept.of;
    const { policy, responseRules, openTrace, dontWait } = world;
    const of = wantedOf(responseRules, needsOf(policy, openTrace !== null, dontWait, responseRules), macros);
    this.#wanted = { world, macros, of };
    return of;
  }

  #checkDrained(): void {
    if (this.#connexions.size === 0) this.#onDrained?.();
  }
}

/** Accepting begins anew when so much of the places is taken at most. */
const RESUME_BELOW = 0.9;
