/** Scans on their way between the threads, in memory that all of them share. */

/** Where a job stands. */
const STATE = {
  free: 0,
  /** Waits for a thread. */
  queued: 1,
  /** A thread scans. */
  running: 2,
  /** Its answer is being sent. */
  answering: 3,
  /** Nobody wants the answer any more; a thread has, or will have, the file. */
  abandoned: 4,
  /** Through: to be given back. */
  done: 5,
} as const;

const FIELDS = 6;
const STATE_AT = 0;
const FILE = 1;
const CONNEXION = 2;
const NUMBER = 3;
const STARTED = 4;
const FLAGS = 5;
const NO_NUMBER = -1;
const LINE_FEED = 1;
const BY_DESCRIPTOR = 2;
/** More jobs than connexions can be under way. */
const PLACES = 1024;

/** What is to be scanned, and where the answer goes. */
export interface Job {
  /** Descriptor of the file; the scanning thread closes it. */
  readonly file: number;
  /** Descriptor of the connexion. */
  readonly connexion: number;
  /** The command's number in its session, or null outside of one. */
  readonly number: number | null;
  /** What ends the answer: NUL or line feed. */
  readonly lineFeed: boolean;
  /** Whether the client has passed the descriptor: clamd's answer then begins with another word. */
  readonly byDescriptor: boolean;
}

/** The memory for a table, to be handed to every thread. */
export function jobMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(PLACES * FIELDS * Int32Array.BYTES_PER_ELEMENT);
}

/**
 * Jobs by place. One thread puts them in and takes them out, the others work on them; who changes a job's state has
 * done so alone.
 */
export class JobTable {
  readonly #cells: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#cells = new Int32Array(memory);
  }

  /** Puts a job in; null when the table is full. */
  put(job: Job): number | null {
    for (let place = 0; place < PLACES; place++) {
      if (this.#state(place) !== STATE.free) continue;
      this.#set(place, FILE, job.file);
      this.#set(place, CONNEXION, job.connexion);
      this.#set(place, NUMBER, job.number ?? NO_NUMBER);
      this.#set(place, STARTED, 0);
      this.#set(place, FLAGS, (job.lineFeed ? LINE_FEED : 0) | (job.byDescriptor ? BY_DESCRIPTOR : 0));
      this.#setState(place, STATE.queued);
      return place;
    }
    return null;
  }

  job(place: number): Job {
    const number = this.#get(place, NUMBER);
    const flags = this.#get(place, FLAGS);
    return {
      file: this.#get(place, FILE),
      connexion: this.#get(place, CONNEXION),
      number: number === NO_NUMBER ? null : number,
      lineFeed: (flags & LINE_FEED) !== 0,
      byDescriptor: (flags & BY_DESCRIPTOR) !== 0,
    };
  }

  /** A thread takes the job on; false when it was abandoned. @param now whole milliseconds below 2^31 */
  begin(place: number, now: number): boolean {
    this.#set(place, STARTED, now);
    return this.#change(place, STATE.queued, STATE.running);
  }

  /** The thread may send its answer now; false when nobody wants it any more. */
  claimAnswer(place: number): boolean {
    return this.#change(place, STATE.running, STATE.answering);
  }

  /** The thread is through with the job. */
  finish(place: number): void {
    this.#setState(place, STATE.done);
  }

  /** Nobody wants the answer; false when it is being sent, or was. */
  abandon(place: number): boolean {
    return this.withdraw(place) || this.#change(place, STATE.running, STATE.abandoned);
  }

  /** No thread is to take it on; false when one has. */
  withdraw(place: number): boolean {
    return this.#change(place, STATE.queued, STATE.abandoned);
  }

  /** Whether the job is through, and its place free now. */
  reclaim(place: number): boolean {
    return this.#change(place, STATE.done, STATE.free);
  }

  /** Whether a thread is sending the answer at this moment. */
  isAnswering(place: number): boolean {
    return this.#state(place) === STATE.answering;
  }

  /** Milliseconds that a thread has been at the job, whether its answer is wanted or not; 0 when none is. */
  workedFor(place: number, now: number): number {
    const state = this.#state(place);
    const begun = this.#get(place, STARTED);
    return begun !== 0 && (state === STATE.running || state === STATE.abandoned) ? now - begun : 0;
  }

  #state(place: number): number {
    return Atomics.load(this.#cells, place * FIELDS + STATE_AT);
  }

  #setState(place: number, state: number): void {
    Atomics.store(this.#cells, place * FIELDS + STATE_AT, state);
  }

  #change(place: number, from: number, to: number): boolean {
    return Atomics.compareExchange(this.#cells, place * FIELDS + STATE_AT, from, to) === from;
  }

  #get(place: number, field: number): number {
    return this.#cells[place * FIELDS + field] ?? 0;
  }

  #set(place: number, field: number, value: number): void {
    this.#cells[place * FIELDS + field] = value;
  }
}
