import { AF_UNIX } from "../../src/os/libc.ts";
import { inetAddress, unixAddress } from "../../src/os/sockaddr.ts";
import { Outgoing } from "./outgoing.ts";
import {
  beginConnexion,
  CallError,
  closeConnexion,
  LATER,
  type Poller,
  receive,
  received,
  type Watcher,
} from "./socket-calls.ts";
import type { Part } from "./stretches.ts";

/** Where a server listens: a path, or a port of 127.0.0.1. */
export type Address = { readonly unix: string } | { readonly port: number };

/** What a link tells its owner. */
export interface LinkOwner {
  /** @returns how many bytes were used; the rest is shown again, with more behind it */
  onBytes(bytes: Buffer): number;
  onLost(why: string): void;
}

/** Milliseconds until a listener with a full queue is tried again. */
const RETRY = 1;
const NOTHING = Buffer.alloc(0);

/** The connexions that wait for a place in a listener's queue. */
export class Waiting {
  readonly #all: (() => void)[] = [];

  add(again: () => void): void {
    this.#all.push(again);
  }

  /** Milliseconds that may be slept. */
  get pause(): number {
    return this.#all.length > 0 ? RETRY : 100;
  }

  retry(): void {
    for (const again of this.#all.splice(0)) again();
  }
}

/** One connexion after another to the same server. */
export class Link implements Watcher {
  readonly #poller: Poller;
  readonly #waiting: Waiting;
  readonly #owner: LinkOwner;
  readonly #family: number;
  readonly #address: Uint8Array;
  readonly #outgoing = new Outgoing();
  #fd = -1;
  #blocked = false;
  #rest: Buffer = NOTHING;
  #generation = 0;

  constructor(poller: Poller, waiting: Waiting, address: Address, owner: LinkOwner) {
    this.#poller = poller;
    this.#waiting = waiting;
    this.#owner = owner;
    if ("unix" in address) {
      this.#family = AF_UNIX;
      this.#address = unixAddress(address.unix);
    } else {
      const { family, bytes } = inetAddress("127.0.0.1", address.port);
      this.#family = family;
      this.#address = bytes;
    }
  }

  get connected(): boolean {
    return this.#fd >= 0;
  }

  get fd(): number {
    return this.#fd;
  }

  get awaited(): number {
    return this.#outgoing.awaited;
  }

  /** Changes with every connexion that is opened or closed. */
  get generation(): number {
    return this.#generation;
  }

  /** Opens a connexion and sends. */
  open(parts: readonly Part[]): void {
    this.#generation++;
    try {
      this.#fd = beginConnexion(this.#family, this.#address);
    } catch (error) {
      this.#owner.onLost(reasonOf(error));
      return;
    }
    if (this.#fd === LATER) {
      this.#waiting.add(() => this.open(parts));
      return;
    }
    this.#blocked = false;
    this.#rest = NOTHING;
    this.#poller.add(this.#fd, this);
    this.send(parts);
  }

  send(parts: readonly Part[]): void {
    this.#outgoing.load(parts);
    this.#push();
  }

  /** The answer that was due has come: sends on. */
  goOn(): void {
    this.#outgoing.answered();
    this.#push();
  }

  skip(stage: number): void {
    this.#outgoing.skip(stage);
  }

  close(): void {
    if (this.#fd < 0) return;
    this.#generation++;
    this.#poller.forget(this.#fd);
    closeConnexion(this.#fd);
    this.#fd = -1;
  }

  onReady(readable: boolean, writable: boolean): void {
    const generation = this.#generation;
    if (readable) this.#read();
    if (writable && this.#blocked && generation === this.#generation) this.#push();
  }

  #read(): void {
    let count: number;
    try {
      count = receive(this.#fd);
    } catch (error) {
      this.#lose(reasonOf(error));
      return;
    }
    if (count === LATER) return;
    if (count === 0) {
      this.#lose("the connexion was closed");
      return;
    }
    const fresh = received.subarray(0, count);
    const bytes = this.#rest.length === 0 ? fresh : Buffer.concat([this.#rest, fresh]);
    const generation = this.#generation;
    const used = this.#owner.onBytes(bytes);
    if (generation !== this.#generation) return;
    this.#rest = used === bytes.length ? NOTHING : Buffer.from(bytes.subarray(used));
  }

  #push(): void {
    let done: boolean;
    try {
      done = this.#outgoing.push(this.#fd);
    } catch (error) {
      // The other end may have answered and closed: what it said is read first.
      if (!(error instanceof CallError)) throw error;
      this.#lose(reasonOf(error));
      return;
    }
    if (done === !this.#blocked) return;
    this.#blocked = !done;
    this.#poller.wantWrites(this.#fd, this.#blocked);
  }

  #lose(why: string): void {
    this.close();
    this.#owner.onLost(why);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
