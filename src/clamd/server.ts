import type { ServerAddress } from "./address.ts";
import { ClamdError } from "./clamd-error.ts";
import { type Flight, isSilent, lookAtFlight, startFlight } from "./flight.ts";
import type { ScannerHealth, ScannerState } from "./health.ts";
import { RefusedSize } from "./refused-size.ts";
import type { ScanReply } from "./reply.ts";
import { ServerVersion } from "./server-version.ts";
import type { ClamdSession, ScanSource } from "./session.ts";
import { type Hold, SessionStock, type Warm } from "./session-stock.ts";
import { Speed } from "./speed.ts";

/** What a server's pool needs of the world. */
export interface ServerEdge {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  connect(
    address: ServerAddress,
    deadline: number,
    onEnd: (error: ClamdError) => void,
  ): Promise<ClamdSession>;
  /** A scan or a connexion failed here: somebody should look at the server. */
  onTrouble(address: ServerAddress): void;
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
  /** The name of the server, or null when there is none to ask. */
  readonly server: string | null;
  readonly verdict: Promise<ServerVerdict>;
  cancel(): void;
}

/** clamd counts ReadTimeout from the last bytes it was sent: a third of that, and below CommandReadTimeout (30 s). */
const LONGEST_REST = 20_000;
/** While clamd scans it answers PING all the same: asked this often, it shows that it is alive. */
const FLIGHT_REST = 1_000;
/** A server that has failed is left alone for so long, then for twice as long, up to the last. Milliseconds. */
const FIRST_SHUN = 100;
const LONGEST_SHUN = 2_000;
/** After a passed descriptor was answered with an error, messages are streamed for a while. */
const STREAM_FOR = 60_000;
/** A session that ends so soon after a message was put into it had ended before. Milliseconds. */
const STALE_WITHIN = 5;
/** One message may fail by its own nature; so many in a row are the server's fault. */
const ERRORS_IN_A_ROW = 3;

/** One clamd, with the sessions kept open to it, and what this process knows of it. */
export class ClamdServer {
  readonly address: ServerAddress;
  readonly #limits: ServerLimits;
  readonly #edge: ServerEdge;
  readonly #stock: SessionStock;
  readonly #flights = new Map<Warm, Flight>();
  readonly #speed = new Speed();
  readonly #refused = new RefusedSize();
  #state: ScannerState = "up";
  #passing = false;
  #streamUntil = 0;
  #failures = 0;
  #errors = 0;
  #shunUntil = 0;
  readonly #version = new ServerVersion();

  constructor(address: ServerAddress, limits: ServerLimits, edge: ServerEdge) {
    this.address = address;
    this.#limits = limits;
    this.#edge = edge;
    const rest = Math.min(LONGEST_REST, limits.silence / 3);
    this.#stock = new SessionStock(
      address.name,
      { ...limits, rest },
      {
        now: () => edge.now(),
        open: (patience, onEnd) => edge.connect(address, patience, onEnd),
        onRefused: () => this.#suspect(),
        onSilent: () => this.#suspect(),
      },
    );
  }

  /** Scans in flight or waiting for a session. */
  get load(): number {
    return this.#stock.load;
  }

  /** Open sessions, idle ones too. */
  get sessions(): number {
    return this.#stock.sessions;
  }

  /** What all processes together know. */
  get state(): ScannerState {
    return this.#state;
  }

  /** Whether a message should go here: nothing speaks against it. */
  get usable(): boolean {
    return this.#state === "up" && this.#edge.now() >= this.#shunUntil;
  }

  /** What one more message would cost here: its place in the queue, for the server's speed. */
  get cost(): number {
    return (this.load + 1) * this.#speed.pace(this.#edge.now());
  }

  /** Whether clamd has refused messages of that size. */
  refuses(size: number): boolean {
    return this.#refused.refuses(size, this.#edge.now());
  }

  /** Takes what all processes together know. */
  learn(health: ScannerHealth): void {
    if (health.state === "up" && this.#state !== "up") this.#trust();
    this.#state = health.state;
    this.#passing = health.passing;
    if (health.state === "blind") this.#stock.drop(this.#blindness());
  }

  /**
   * Scans a message in a session of its own for that time.
   * @param deadline when it is given up, on the edge's clock
   */
  scan(source: ScanSource, deadline: number): Scan {
    const hold: Hold = { cancelled: false, warm: null };
    return {
      server: this.address.name,
      verdict: this.#run(hold, source, deadline),
      cancel: () => {
        const error = new ClamdError("CLAMD_CANCELLED", "given up");
        hold.cancelled = true;
        hold.warm?.session.fail(error);
        this.#stock.leave(hold, error);
      },
    };
  }

  /** Once a second or so: gives up what is overdue, keeps sessions alive, ends those that are not needed. */
  tick(): void {
    const now = this.#edge.now();
    for (const [warm, flight] of this.#flights) {
      lookAtFlight(warm, flight, now);
      if (now >= flight.overdueAt) {
        const code = isSilent(warm, flight, now) ? "CLAMD_SILENT" : "CLAMD_TIMEOUT";
        warm.session.fail(new ClamdError(code, `${this.address.name}: no verdict in time`));
      } else this.#stock.keepAlive(warm, Math.min(FLIGHT_REST, this.#limits.silence / 3));
    }
    this.#stock.tick();
  }

  /** Whether scans wait here for a clamd that says nothing at all, and so could as well go elsewhere. */
  get stuck(): boolean {
    const now = this.#edge.now();
    for (const [warm, flight] of this.#flights) if (this.#isStuck(warm, flight, now)) return true;
    return false;
  }

  /** Fails the scans that are stuck, so that they are tried elsewhere. */
  moveStuck(): void {
    const now = this.#edge.now();
    for (const [warm, flight] of [...this.#flights]) {
      if (!this.#isStuck(warm, flight, now)) continue;
      warm.session.fail(new ClamdError("CLAMD_SILENT", `${this.address.name}: does not answer`));
    }
  }

  /** Ends idle sessions now, and the others when their scans are through. */
  retire(): void {
    this.#stock.retire();
  }

  /** Ends all sessions; scans in flight fail. */
  close(): void {
    this.#stock.close(new ClamdError("CLAMD_CANCELLED", "shutting down"));
  }

  async #run(hold: Hold, source: ScanSource, deadline: number): Promise<ServerVerdict> {
    for (let first = true; ; first = false) {
      const warm = await this.#stock.acquire(hold, deadline);
      const stale = first && warm.reused ? this.#edge.now() + STALE_WITHIN : 0;
      hold.warm = warm;
      try {
        if (hold.cancelled) throw new ClamdError("CLAMD_CANCELLED", "given up");
        this.#refuseBlind();
        return await this.#scanIn(warm, source, deadline);
      } catch (error) {
        const code = error instanceof ClamdError ? error.code : "";
        // clamd has closed it while it rested, which is known only now: no failure of the server.
        if (code === "CLAMD_CLOSED" && this.#edge.now() < stale && !hold.cancelled) continue;
        if (code !== "CLAMD_CANCELLED" && code !== "CLAMD_TIMEOUT") this.#suspect();
        throw code === "CLAMD_CLOSED" ? endOf(warm, error) : error;
      } finally {
        // From here on the session may be another scan's: cancel must not reach it.
        hold.warm = null;
        this.#stock.release(warm);
      }
    }
  }

  async #scanIn(warm: Warm, source: ScanSource, deadline: number): Promise<ServerVerdict> {
    const now = this.#edge.now();
    const passing = this.#passing && now >= this.#streamUntil;
    const overdueAt = Math.min(deadline, now + this.#limits.silence);
    this.#flights.set(warm, startFlight(warm, now, overdueAt));
    try {
      const asked = this.#version.askIfDue(warm.session, now);
      // A sign of life: who ends the connexion after it may have died of the message.
      if (!asked && warm.session.answers === 0) warm.session.ping().catch(() => {});
      warm.sentAt = now;
      const reply = await warm.session.scan(source, passing);
      this.#refuseBlind();
      this.#consider(reply, warm, source, this.#edge.now() - now, passing);
      return { reply, server: this.address.name, version: await this.#version.text(warm.session) };
    } finally {
      this.#flights.delete(warm);
    }
  }

  /** Whatever it says, a blind server is not believed: not even of what it was given before that was known. */
  #refuseBlind(): void {
    if (this.#state === "blind") throw this.#blindness();
  }

  #blindness(): ClamdError {
    return new ClamdError("CLAMD_PROTOCOL", `${this.address.name}: does not find the test virus`);
  }

  /** What a reply tells of the server. */
  #consider(reply: ScanReply, warm: Warm, source: ScanSource, milliseconds: number, passing: boolean): void {
    const now = this.#edge.now();
    if (reply.kind === "failed") {
      // It may be in any state now: nothing is put into it again.
      warm.session.quit();
      if (passing) this.#streamUntil = now + STREAM_FOR;
      if (++this.#errors >= ERRORS_IN_A_ROW) this.#suspect();
      return;
    }
    if (reply.kind === "tooLarge") {
      this.#refused.learn(source.size, now);
      // clamd closes after that.
      warm.session.quit();
    } else this.#speed.measure(milliseconds, source.size, now);
    this.#trust();
  }

  #isStuck(warm: Warm, flight: Flight, now: number): boolean {
    if (this.#state === "busy" && now - flight.startedAt > FLIGHT_REST) return true;
    return isSilent(warm, flight, now);
  }

  #trust(): void {
    this.#failures = 0;
    this.#errors = 0;
    this.#shunUntil = 0;
  }

  #suspect(): void {
    const pause = Math.min(LONGEST_SHUN, FIRST_SHUN * 2 ** this.#failures++);
    // Not all children come back in the same moment.
    this.#shunUntil = this.#edge.now() + pause * (0.75 + Math.random() / 2);
    this.#edge.onTrouble(this.address);
  }
}

/** Whether a connexion that has ended was that of a scanner at work on a whole message, or of nobody. */
function endOf({ session }: Warm, error: unknown): unknown {
  if (!(error instanceof ClamdError)) return error;
  if (session.answers === 0) return new ClamdError("CLAMD_CONNECT", error.message);
  return session.endedSending ? error : new ClamdError("CLAMD_DIED", error.message);
}
