import type { ServerAddress } from "./address.ts";
import { ClamdError } from "./clamd-error.ts";
import type { ScanReply } from "./reply.ts";
import type { ClamdSession, ScanSource } from "./session.ts";

/** What a server's pool needs of the world. */
export interface ServerEdge {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  connect(
    address: ServerAddress,
    deadline: number,
    onEnd: (error: ClamdError) => void,
  ): Promise<ClamdSession>;
  /** The server's state has changed: told once per change. */
  onHealth(address: ServerAddress, up: boolean, why: string): void;
}

export interface ServerLimits {
  /** Sessions, and so scans in flight, at most. */
  readonly sessions: number;
  /** Milliseconds a connexion may take. */
  readonly connect: number;
  /** Milliseconds of a scan without an answer: ReadTimeout of clamd.conf. */
  readonly silence: number;
}

/** The verdict of one scan, and who gave it. */
export interface ServerVerdict {
  readonly reply: ScanReply;
  readonly server: string;
  /** clamd's own words, such as `ClamAV 1.4.6/27000/Sun Nov 22 09:00:00 2026`. */
  readonly version: string;
}

/** A scan that goes on; `cancel` gives it up, and clamd with it. */
export interface Scan {
  readonly verdict: Promise<ServerVerdict>;
  cancel(): void;
}

interface Warm {
  readonly session: ClamdSession;
  /** When something was last sent: clamd closes after ReadTimeout without bytes, even while it scans. */
  sentAt: number;
  /** When the scan in flight is given up. */
  overdueAt: number;
  /** When it was sent the PING that it has not answered yet. */
  pingedAt: number | null;
}

/** What a scan holds: known to its canceller, whatever stage it is in. */
interface Hold {
  cancelled: boolean;
  warm: Warm | null;
}

interface Waiter {
  readonly hold: Hold;
  readonly until: number;
  readonly go: (warm: Warm) => void;
  readonly fail: (error: ClamdError) => void;
}

/** clamd counts ReadTimeout from the last bytes it was sent: a third of that, and below CommandReadTimeout (30 s). */
const LONGEST_REST = 20_000;
/** An idle clamd answers PING at once; one that does not is not there any more. */
const PONG_PATIENCE = 5_000;
/** A version older than this is asked for anew: the database may have been reloaded. */
const VERSION_AGE = 10_000;
/** A session beyond the first that was idle for so long is ended. */
const RETIRE_AFTER = 60_000;

/** One clamd, with the sessions kept open to it. */
export class ClamdServer {
  readonly address: ServerAddress;
  readonly #limits: ServerLimits;
  readonly #edge: ServerEdge;
  readonly #idle: { readonly warm: Warm; readonly since: number }[] = [];
  readonly #busy = new Set<Warm>();
  readonly #waiting: Waiter[] = [];
  #connecting = 0;
  #up = true;
  #version = "";
  #versionAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | null = null;
  /** This clamd does not tell its version. */
  #versionless = false;
  #closed = false;

  constructor(address: ServerAddress, limits: ServerLimits, edge: ServerEdge) {
    this.address = address;
    this.#limits = limits;
    this.#edge = edge;
  }

  /** Scans in flight or waiting for a session. */
  get load(): number {
    return this.#busy.size + this.#connecting + this.#waiting.length;
  }

  /** Open sessions, idle ones too. */
  get sessions(): number {
    return this.#busy.size + this.#idle.length + this.#connecting;
  }

  /**
   * Scans a message in a session of its own for that time.
   * @param deadline when it is given up, on the edge's clock
   */
  scan(source: ScanSource, deadline: number): Scan {
    const hold: Hold = { cancelled: false, warm: null };
    const run = async (): Promise<ServerVerdict> => {
      const warm = await this.#acquire(hold, deadline);
      hold.warm = warm;
      if (hold.cancelled) {
        this.#release(warm);
        throw new ClamdError("CLAMD_CANCELLED", "given up");
      }
      try {
        return await this.#scanIn(warm, source, deadline);
      } finally {
        // From here on the session may be another scan's: cancel must not reach it.
        hold.warm = null;
        this.#release(warm);
      }
    };
    return { verdict: run(), cancel: () => this.#cancel(hold) };
  }

  /** Once a second or so: gives up what is overdue, keeps sessions alive, ends those that are not needed. */
  tick(): void {
    const now = this.#edge.now();
    for (const warm of this.#busy) {
      if (now >= warm.overdueAt) {
        warm.session.fail(new ClamdError("CLAMD_TIMEOUT", `${this.address.name}: no verdict in time`));
      } else this.#keepAlive(warm, now);
    }
    for (let at = this.#waiting.length - 1; at >= 0; at--) {
      const waiter = this.#waiting[at];
      if (waiter === undefined || now < waiter.until) continue;
      this.#waiting.splice(at, 1);
      waiter.fail(new ClamdError("CLAMD_BUSY", `${this.address.name}: no free session in time`));
    }
    // The longest idle come first; the newest is kept.
    while (this.#idle.length > 1 && now - (this.#idle[0]?.since ?? now) > RETIRE_AFTER) {
      this.#idle.shift()?.warm.session.quit();
    }
    // A copy: a session that is ended here leaves the list.
    for (const { warm } of [...this.#idle]) {
      if (warm.pingedAt !== null && now - warm.pingedAt > PONG_PATIENCE) {
        warm.session.fail(new ClamdError("CLAMD_CLOSED", `${this.address.name}: does not answer PING`));
      } else this.#keepAlive(warm, now);
    }
  }

  /** Ends idle sessions now, and the others when their scans are through. */
  retire(): void {
    this.#closed = true;
    for (const { warm } of this.#idle.splice(0)) warm.session.quit();
  }

  /** Ends all sessions; scans in flight fail. */
  close(): void {
    this.#closed = true;
    const error = new ClamdError("CLAMD_CANCELLED", "shutting down");
    for (const waiter of this.#waiting.splice(0)) waiter.fail(error);
    for (const { warm } of this.#idle.splice(0)) warm.session.quit();
    for (const warm of this.#busy) warm.session.fail(error);
  }

  #cancel(hold: Hold): void {
    const error = new ClamdError("CLAMD_CANCELLED", "given up");
    hold.cancelled = true;
    hold.warm?.session.fail(error);
    const at = this.#waiting.findIndex((waiter) => waiter.hold === hold);
    if (at >= 0) this.#waiting.splice(at, 1)[0]?.fail(error);
  }

  async #scanIn(warm: Warm, source: ScanSource, deadline: number): Promise<ServerVerdict> {
    const now = this.#edge.now();
    warm.overdueAt = Math.min(deadline, now + this.#limits.silence);
    if (!this.#versionless && now - this.#versionAt > VERSION_AGE) this.#askVersion(warm);
    warm.sentAt = now;
    const reply = await warm.session.scan(source);
    // The first messages of all wait for the first version; after that the last known one will do.
    if (this.#version === "") await this.#asking;
    return { reply, server: this.address.name, version: this.#version };
  }

  #askVersion(warm: Warm): void {
    const now = this.#edge.now();
    this.#versionAt = now;
    warm.sentAt = now;
    this.#asking = warm.session.version().then(
      (version) => {
        // EnableVersionCommand no (clamd 1.5): COMMAND UNAVAILABLE, and the session is closed.
        if (version.startsWith("ClamAV ")) this.#version = version;
        else this.#versionless = true;
      },
      () => {
        // The session is over, and whoever scans in it is told by the scan itself.
        this.#versionAt = Number.NEGATIVE_INFINITY;
      },
    );
  }

  #keepAlive(warm: Warm, now: number): void {
    const rest = Math.min(LONGEST_REST, this.#limits.silence / 3);
    if (now - warm.sentAt < rest || warm.session.sending) return;
    warm.sentAt = now;
    warm.pingedAt = now;
    warm.session.ping().then(
      () => {
        warm.pingedAt = null;
      },
      () => {
        // The session is over: nobody waits for this answer.
      },
    );
  }

  #acquire(hold: Hold, deadline: number): Promise<Warm> {
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      this.#busy.add(idle.warm);
      return Promise.resolve(idle.warm);
    }
    if (this.#busy.size + this.#connecting < this.#limits.sessions) return this.#open(deadline);
    return new Promise((go, fail) => {
      this.#waiting.push({ hold, until: deadline, go, fail });
    });
  }

  async #open(deadline: number): Promise<Warm> {
    const patience = Math.max(1, Math.min(this.#limits.connect, deadline - this.#edge.now()));
    let warm: Warm | null = null;
    this.#connecting++;
    try {
      const session = await this.#edge.connect(this.address, patience, () => this.#forget(warm));
      const now = this.#edge.now();
      warm = { session, sentAt: now, overdueAt: deadline, pingedAt: null };
      if (session.ended) throw new ClamdError("CLAMD_CLOSED", `${this.address.name}: closed at once`);
      this.#busy.add(warm);
      this.#health(true, "");
      return warm;
    } catch (error) {
      if (error instanceof ClamdError) this.#health(false, error.message);
      this.#wakeNext();
      throw error;
    } finally {
      this.#connecting--;
    }
  }

  /** A session has ended on its own or was ended. */
  #forget(warm: Warm | null): void {
    const at = this.#idle.findIndex((idle) => idle.warm === warm);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  #release(warm: Warm): void {
    this.#busy.delete(warm);
    if (warm.session.ended) {
      this.#wakeNext();
      return;
    }
    const waiter = this.#waiting.shift();
    if (waiter === undefined && this.#closed) {
      warm.session.quit();
      return;
    }
    if (waiter === undefined) {
      this.#idle.push({ warm, since: this.#edge.now() });
      return;
    }
    this.#busy.add(warm);
    waiter.go(warm);
  }

  /** A place has come free without a session: the first that waits opens one. */
  #wakeNext(): void {
    const waiter = this.#waiting.shift();
    if (waiter === undefined) return;
    this.#open(waiter.until).then(waiter.go, waiter.fail);
  }

  #health(up: boolean, why: string): void {
    if (up === this.#up) return;
    this.#up = up;
    this.#edge.onHealth(this.address, up, why);
  }
}
