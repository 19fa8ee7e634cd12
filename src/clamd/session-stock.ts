import { ClamdError } from "./clamd-error.ts";
import type { ClamdSession } from "./session.ts";

/** A session as its server keeps it. */
export interface Warm {
  readonly session: ClamdSession;
  readonly openedAt: number;
  /** Whether it has served a scan before. */
  reused: boolean;
  /** When something was last sent: clamd closes after ReadTimeout without bytes, even while it scans. */
  sentAt: number;
  /** When it was sent the PING that it has not answered yet. */
  pingedAt: number | null;
}

/** Whoever wants a session; known to its canceller, whatever stage it is in. */
export interface Hold {
  cancelled: boolean;
  warm: Warm | null;
}

interface Waiter {
  readonly hold: Hold;
  readonly until: number;
  readonly go: (warm: Warm) => void;
  readonly fail: (error: ClamdError) => void;
}

export interface StockLimits {
  /** Sessions, and so scans in flight, at most. */
  readonly sessions: number;
  /** Milliseconds a connexion may take. */
  readonly connect: number;
  /** Milliseconds of a session at rest between two PINGs. */
  readonly rest: number;
}

/** What a stock needs of its server. */
export interface StockEdge {
  now(): number;
  open(patience: number, onEnd: () => void): Promise<ClamdSession>;
  onOpened(): void;
  onRefused(error: ClamdError): void;
  /** A session at rest does not answer PING. */
  onSilent(): void;
}

/** An idle clamd answers PING at once; one that does not is not there any more. */
const PONG_PATIENCE = 5_000;
/** A session beyond the first that was idle for so long is ended. */
const RETIRE_AFTER = 60_000;
/** No session is kept for longer, however busy. */
const OLDEST = 3_600_000;

/** The sessions kept open to one clamd: lent to one scan at a time, opened when they are wanted, ended when not. */
export class SessionStock {
  readonly busy = new Set<Warm>();
  readonly #name: string;
  readonly #limits: StockLimits;
  readonly #edge: StockEdge;
  readonly #idle: { readonly warm: Warm; readonly since: number }[] = [];
  readonly #waiting: Waiter[] = [];
  #connecting = 0;
  #closed = false;

  constructor(name: string, limits: StockLimits, edge: StockEdge) {
    this.#name = name;
    this.#limits = limits;
    this.#edge = edge;
  }

  /** Scans in flight or waiting for a session. */
  get load(): number {
    return this.busy.size + this.#waiting.length;
  }

  /** Open sessions, idle ones and those in the making too. */
  get sessions(): number {
    return this.busy.size + this.#idle.length + this.#connecting;
  }

  /**
   * A session at rest, or the next that is opened or comes free.
   * @param deadline on the edge's clock
   * @throws ClamdError
   */
  acquire(hold: Hold, deadline: number): Promise<Warm> {
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      this.busy.add(idle.warm);
      return Promise.resolve(idle.warm);
    }
    return new Promise((go, fail) => {
      this.#waiting.push({ hold, until: deadline, go, fail });
      this.#openMore(deadline);
    });
  }

  /** Takes a session back. */
  release(warm: Warm): void {
    this.busy.delete(warm);
    warm.reused = true;
    this.#offer(warm);
  }

  /** Leaves the queue. */
  leave(hold: Hold, error: ClamdError): void {
    const at = this.#waiting.findIndex((waiter) => waiter.hold === hold);
    if (at >= 0) this.#waiting.splice(at, 1)[0]?.fail(error);
  }

  /** Once a second or so. */
  tick(): void {
    const now = this.#edge.now();
    for (let at = this.#waiting.length - 1; at >= 0; at--) {
      const waiter = this.#waiting[at];
      if (waiter === undefined || now < waiter.until) continue;
      this.#waiting.splice(at, 1);
      waiter.fail(new ClamdError("CLAMD_BUSY", `${this.#name}: no free session in time`));
    }
    this.#retireIdle(now);
    // A copy: a session that is ended here leaves the list.
    for (const { warm } of [...this.#idle]) {
      if (warm.pingedAt !== null && now - warm.pingedAt > PONG_PATIENCE) {
        warm.session.fail(new ClamdError("CLAMD_CLOSED", `${this.#name}: does not answer PING`));
        this.#edge.onSilent();
      } else this.keepAlive(warm, this.#limits.rest);
    }
  }

  /**
   * Sends a PING when nothing was sent for that time: it renews clamd's timer, and shows whether clamd is there.
   * @param rest milliseconds
   */
  keepAlive(warm: Warm, rest: number): void {
    const now = this.#edge.now();
    if (now - warm.sentAt < rest || warm.pingedAt !== null || warm.session.sending) return;
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

  /** Ends idle sessions now, and the others when their scans are through. */
  retire(): void {
    this.#closed = true;
    for (const { warm } of this.#idle.splice(0)) warm.session.quit();
  }

  /** Ends all sessions; whoever holds one or waits fails. */
  close(error: ClamdError): void {
    for (const waiter of this.#waiting.splice(0)) waiter.fail(error);
    this.retire();
    for (const warm of this.busy) warm.session.fail(error);
  }

  /** The longest idle come first; the newest is kept. */
  #retireIdle(now: number): void {
    for (const { warm, since } of [...this.#idle]) {
      const surplus = this.#idle.length > 1 && now - since > RETIRE_AFTER;
      if (surplus || now - warm.openedAt > OLDEST) warm.session.quit();
    }
  }

  #openMore(deadline: number): void {
    if (this.#connecting >= this.#waiting.length) return;
    if (this.busy.size + this.#connecting < this.#limits.sessions) void this.#open(deadline);
  }

  async #open(deadline: number): Promise<void> {
    const patience = Math.max(1, Math.min(this.#limits.connect, deadline - this.#edge.now()));
    this.#connecting++;
    try {
      const warm = await this.#connect(patience);
      this.#connecting--;
      this.#edge.onOpened();
      this.#offer(warm);
    } catch (error) {
      this.#connecting--;
      const refusal =
        error instanceof ClamdError ? error : new ClamdError("CLAMD_CONNECT", `${this.#name}: ${error}`);
      this.#edge.onRefused(refusal);
      // Who waits while others are served will have their session; else one refusal is one failure.
      if (this.busy.size === 0) this.#waiting.shift()?.fail(refusal);
      const next = this.#waiting[0];
      if (next !== undefined && this.busy.size === 0) this.#openMore(next.until);
    }
  }

  async #connect(patience: number): Promise<Warm> {
    let warm: Warm | null = null;
    const session = await this.#edge.open(patience, () => this.#forget(warm));
    const now = this.#edge.now();
    warm = { session, openedAt: now, reused: false, sentAt: now, pingedAt: null };
    if (session.ended) throw new ClamdError("CLAMD_CLOSED", `${this.#name}: closed at once`);
    return warm;
  }

  /** Gives a session to who waits, or lets it rest. */
  #offer(warm: Warm): void {
    const next = this.#waiting[0];
    if (warm.session.ended) {
      if (next !== undefined) this.#openMore(next.until);
      return;
    }
    if (next !== undefined) {
      this.#waiting.shift();
      this.busy.add(warm);
      next.go(warm);
    } else if (this.#closed) warm.session.quit();
    else this.#idle.push({ warm, since: this.#edge.now() });
  }

  /** A session has ended on its own or was ended. */
  #forget(warm: Warm | null): void {
    const at = this.#idle.findIndex((idle) => idle.warm === warm);
    if (at >= 0) this.#idle.splice(at, 1);
  }
}
