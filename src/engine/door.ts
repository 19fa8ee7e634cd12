/** The thread that speaks with the clients: accepts, reads commands and descriptors, gives jobs to the others. */
import { writeSync } from "node:fs";
import { Epoll } from "../os/epoll.ts";
import { closeDescriptor, monotonicMicroseconds, OsError } from "../os/libc.ts";
import { NumberReader, putNumber } from "../os/pipes.ts";
import { acceptConnexion, endConnexion, peerUser, Receiver, sendAnswer } from "../os/stream-calls.ts";
import { openNameless } from "../scan/spool-file.ts";
import { answerText, Conversation, type ScanOrder } from "./conversation.ts";
import { JobTable } from "./jobs.ts";

/** What the thread is started with. Plain data, and shared memory. */
export interface DoorOrder {
  readonly jobs: SharedArrayBuffer;
  /** Descriptor by which jobs go to the scanning threads. */
  readonly jobPipe: number;
  /** Descriptor by which the main thread says something: a listening socket, RETIRE or PULSE. */
  readonly orderPipe: number;
  readonly version: string;
  readonly streamMaxLength: number;
  readonly threads: number;
  /** Milliseconds. */
  readonly scanDeadline: number;
  readonly temporaryDirectory: string;
  /** The user whose processes may connect. */
  readonly uid: number;
}

/** From the main thread: accept no more, and end when the last answer is out. Other numbers are listening sockets. */
export const RETIRE = -1;
/** From the main thread: tell that the clients are served. */
export const PULSE = -2;

/** To the main thread. */
export type DoorEvent =
  /** A scan has gone on past its deadline: its thread may never come back. */
  | { readonly kind: "stuck" }
  /** The answer to PULSE. */
  | { readonly kind: "pulse" }
  /** Retired, and nothing is under way any more. */
  | { readonly kind: "idle" }
  /** Streams cannot be collected in the temporary directory, for this reason, or can be again (null). */
  | { readonly kind: "temporary"; readonly problem: string | null };

interface Client {
  readonly fd: number;
  readonly conversation: Conversation;
  /** Places of its jobs. */
  readonly jobs: Set<number>;
  /** No more is read; it is closed when its jobs are answered. */
  leaving: boolean;
}

const TICK = 100;
const RECEIVE = 64 * 1024;
/** A stream or a command that does not go on ends with the process: clients are our own. */
const MOST_CLIENTS = 1000;

/** Runs in a thread of its own until the process ends. */
export class Door {
  readonly #order: DoorOrder;
  readonly #tell: (event: DoorEvent) => void;
  readonly #jobs: JobTable;
  readonly #epoll = new Epoll();
  readonly #orders: NumberReader;
  readonly #receiver = new Receiver(RECEIVE);
  readonly #clients = new Map<number, Client>();
  /** Places whose client is gone, until their threads are through. */
  readonly #orphans = new Set<number>();
  #listener: number | null = null;
  #retired = false;
  #problem: string | null = null;
  #stuck = false;

  constructor(order: DoorOrder, tell: (event: DoorEvent) => void) {
    this.#order = order;
    this.#tell = tell;
    this.#jobs = new JobTable(order.jobs);
    this.#orders = new NumberReader(order.orderPipe);
    this.#epoll.add(order.orderPipe);
  }

  /** Does not return. */
  run(): void {
    let lookedAt = 0;
    for (;;) {
      for (const fd of this.#epoll.wait(TICK)) this.#serve(fd);
      const now = Number(monotonicMicroseconds() / 1000n);
      if (now - lookedAt < TICK) continue;
      lookedAt = now;
      this.#look();
    }
  }

  #serve(fd: number): void {
    if (fd === this.#order.orderPipe) this.#obey(this.#orders.next());
    else if (fd === this.#listener) this.#accept(fd);
    else {
      const client = this.#clients.get(fd);
      if (client !== undefined) this.#read(client);
    }
  }

  #obey(word: number): void {
    if (word === PULSE) {
      this.#tell({ kind: "pulse" });
      return;
    }
    if (word !== RETIRE) {
      this.#listener = word;
      this.#epoll.add(word);
      return;
    }
    this.#retired = true;
    if (this.#listener !== null) this.#epoll.remove(this.#listener);
    this.#listener = null;
    this.#look();
  }

  #accept(listener: number): void {
    const fd = acceptConnexion(listener);
    if (fd === null) return;
    if (this.#clients.size >= MOST_CLIENTS || peerUser(fd) !== this.#order.uid) {
      closeDescriptor(fd);
      return;
    }
    const client: Client = { fd, conversation: this.#conversation(fd), jobs: new Set(), leaving: false };
    this.#clients.set(fd, client);
    this.#epoll.add(fd);
  }

  #conversation(fd: number): Conversation {
    const { version, streamMaxLength, threads, temporaryDirectory } = this.#order;
    return new Conversation({
      version,
      streamMaxLength,
      threads,
      send: (text) => this.#send(fd, text),
      scan: (order) => this.#scan(fd, order),
      openStream: () => this.#watched(() => openNameless(temporaryDirectory)),
      writeStream: (file, bytes) =>
        this.#watched(() => {
          for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at);
        }),
      closeFile: closeDescriptor,
      close: () => this.#leave(fd),
    });
  }

  /** Does something in the temporary directory, and tells when that fails, and when it works again. */
  #watched<T>(work: () => T): T {
    let problem: string | null = null;
    try {
      return work();
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      // An open stream shows nothing: a write to it does.
      if (problem !== null || this.#problem !== null) this.#tell({ kind: "temporary", problem });
      this.#problem = problem;
    }
  }

  #read(client: Client): void {
    try {
      const received = this.#receiver.receive(client.fd);
      if (received === null) return;
      if (received.bytes.length === 0) this.#drop(client);
      else client.conversation.receive(received.bytes, received.descriptors);
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      this.#drop(client);
    }
  }

  #scan(fd: number, order: ScanOrder): void {
    const { number, lineFeed, file, byDescriptor } = order;
    const place = this.#jobs.put({ file, connexion: fd, number, lineFeed, byDescriptor });
    if (place === null) {
      closeDescriptor(file);
      this.#send(fd, answerText(number, "Too many messages. ERROR", lineFeed));
      return;
    }
    this.#clients.get(fd)?.jobs.add(place);
    putNumber(this.#order.jobPipe, place);
  }

  #send(fd: number, text: string): void {
    if (sendAnswer(fd, Buffer.from(text, "latin1"))) return;
    const client = this.#clients.get(fd);
    if (client !== undefined) this.#drop(client);
  }

  /** Nothing more is read of a client; what it waits for still comes. */
  #leave(fd: number): void {
    const client = this.#clients.get(fd);
    if (client === undefined || client.leaving) return;
    client.leaving = true;
    this.#epoll.remove(fd);
    this.#closeIfThrough(client);
  }

  /** A client that is gone: nobody wants its answers. */
  #drop(client: Client): void {
    if (!client.leaving) this.#epoll.remove(client.fd);
    client.leaving = true;
    client.conversation.release();
    endConnexion(client.fd);
    for (const place of client.jobs) {
      // The thread will not touch the connexion of an abandoned job: its descriptor may go.
      if (this.#jobs.abandon(place)) this.#orphan(client, place);
    }
    this.#closeIfThrough(client);
  }

  #orphan(client: Client, place: number): void {
    client.jobs.delete(place);
    this.#orphans.add(place);
  }

  #closeIfThrough(client: Client): void {
    for (const place of client.jobs) if (this.#jobs.reclaim(place)) client.jobs.delete(place);
    if (!client.leaving || client.jobs.size > 0 || this.#clients.get(client.fd) !== client) return;
    this.#clients.delete(client.fd);
    closeDescriptor(client.fd);
  }

  /** What time brings: jobs that are through or overdue, clients that can go. */
  #look(): void {
    const now = milliseconds();
    for (const place of this.#orphans) {
      if (this.#jobs.reclaim(place)) this.#orphans.delete(place);
      else if (this.#jobs.workedFor(place, now) > this.#order.scanDeadline) this.#tellStuck();
    }
    for (const client of [...this.#clients.values()]) {
      for (const place of client.jobs) {
        if (this.#jobs.workedFor(place, now) > this.#order.scanDeadline) this.#giveUp(client, place);
        // The threads that are left may be stuck as well, and the engine that took over has free ones.
        else if (this.#retired && this.#stuck) this.#sendAway(client, place);
      }
      this.#closeIfThrough(client);
      // An idle client of a retired engine finds the new one when it comes again.
      if (this.#retired && client.jobs.size === 0 && client.conversation.idle) this.#leave(client.fd);
    }
    if (this.#retired && this.#clients.size === 0) this.#tell({ kind: "idle" });
  }

  #giveUp(client: Client, place: number): void {
    const { number, lineFeed } = this.#jobs.job(place);
    if (!this.#jobs.abandon(place)) return;
    this.#orphan(client, place);
    this.#send(client.fd, answerText(number, "Time limit reached ERROR", lineFeed));
    this.#tellStuck();
  }

  /** A message that no thread has begun with. */
  #sendAway(client: Client, place: number): void {
    const { number, lineFeed } = this.#jobs.job(place);
    if (!this.#jobs.withdraw(place)) return;
    this.#orphan(client, place);
    this.#send(client.fd, answerText(number, "The engine is being replaced ERROR", lineFeed));
  }

  /** Once: the whole process is replaced. */
  #tellStuck(): void {
    if (!this.#stuck) this.#tell({ kind: "stuck" });
    this.#stuck = true;
  }
}

/** Monotonic milliseconds that fit a 32-bit cell; wraps after 24 days, when no scan of before is under way. */
export function milliseconds(): number {
  return Number((monotonicMicroseconds() / 1000n) % 2n ** 31n);
}
