import type { ServerAddress } from "../clamd/address.ts";
import { CANARY_RANDOMNESS, canaryMail, sourceOf } from "../clamd/canary.ts";
import { ClamdError } from "../clamd/clamd-error.ts";
import { canaryPause, lookPause } from "../clamd/look-plan.ts";
import type { ScanReply } from "../clamd/reply.ts";
import { type Observation, observe, type ServerEvent, type ServerRecord } from "../clamd/server-state.ts";
import type { ClamdSession } from "../clamd/session.ts";

/** What watching a server needs of the world. */
export interface WatchEdge {
  /** Milliseconds of the machine's monotonic clock: the same in every process. */
  now(): number;
  /** Does something later; the answer undoes it. */
  after(milliseconds: number, work: () => void): () => void;
  /** From 0 to 1. */
  random(): number;
  randomBytes(count: number): Uint8Array;
  /**
   * @param onEnd told when the session is over, for whatever reason
   * @throws ClamdError: `CLAMD_BUSY` when the server takes no further connexion at the moment
   */
  connect(address: ServerAddress, deadline: number, onEnd: () => void): Promise<ClamdSession>;
  /** The descriptor of a file that nobody can change any more. @throws Error when there can be none */
  sealed(bytes: Uint8Array): number;
  close(descriptor: number): void;
}

/** What is told of a server: its record, and what has happened to it. */
export type TellServer = (record: ServerRecord, events: readonly WatchEvent[]) => void;

export type WatchEvent =
  | ServerEvent
  /** It did not scan the test message; why, in words. Told once until it does. */
  | { readonly kind: "untested"; readonly why: string };

/** Milliseconds for a connexion, and for a PONG. */
const PATIENCE = 2000;
/** Milliseconds for the verdict on a test message; and while mail waits for a server that has come back. */
const TEST_PATIENCE = 5000;
const RETURN_PATIENCE = 700;
/** Looks that others ask for are not nearer to each other than this, and tests for a lost connexion not than that. */
const LOOK_DISTANCE = 500;
const TEST_DISTANCE = 10_000;

/** What a test message has shown; a text is the reason why nothing. */
type Tested = "found" | "clean" | { readonly why: string };

/** Watches one server: looks at it again and again, and tests from time to time whether it finds a virus. */
export class ServerWatch {
  readonly address: ServerAddress;
  readonly #edge: WatchEdge;
  readonly #tell: TellServer;
  readonly #canary: number;
  #record: ServerRecord;
  #session: ClamdSession | null = null;
  #version = "";
  #versionless = false;
  /** Looks in a row that failed. */
  #failures = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #testedAt = Number.NEGATIVE_INFINITY;
  /** When the next test message goes out; one goes at the start. */
  #testAt = Number.NEGATIVE_INFINITY;
  /** Test messages in a row that showed nothing. */
  #tries = 0;
  #hurried = false;
  #resting = false;
  #stopped = false;
  #wake: () => void = () => {};

  /** @param canary seconds between test messages; 0: none is sent */
  constructor(
    address: ServerAddress,
    record: ServerRecord,
    canary: number,
    edge: WatchEdge,
    tell: TellServer,
  ) {
    this.address = address;
    this.#record = record;
    this.#canary = canary;
    this.#edge = edge;
    this.#tell = tell;
    void this.#run();
  }

  /** Looks at the server now, or as soon as that is not too often. */
  hurry(): void {
    this.#hurried = true;
    this.#wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#session?.quit();
    this.#wake();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#round();
      await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    const calm = this.#edge.now() + lookPause(this.#failures, this.#edge.random());
    const next = this.#failures === 0 ? Math.min(calm, this.#testAt) : calm;
    while (!this.#stopped) {
      const end = this.#hurried ? Math.min(next, this.#lookedAt + LOOK_DISTANCE) : next;
      const rest = end - this.#edge.now();
      if (rest <= 0) break;
      await this.#sleep(rest);
    }
    this.#hurried = false;
  }

  async #sleep(milliseconds: number): Promise<void> {
    const woken = Promise.withResolvers<void>();
    this.#wake = woken.resolve;
    const undo = this.#edge.after(milliseconds, woken.resolve);
    this.#resting = true;
    await woken.promise;
    this.#resting = false;
    undo();
  }

  async #round(): Promise<void> {
    this.#lookedAt = this.#edge.now();
    let seen = await this.#look();
    const returned = this.#failures > 0 || ["down", "busy"].includes(this.#record.state);
    if (seen.kind === "answers" && (returned || this.#edge.now() >= this.#testAt)) {
      // Before mail goes to it again: it may have come back blind.
      await this.#test(returned ? RETURN_PATIENCE : TEST_PATIENCE);
      if (this.#session?.ended !== false) seen = await this.#ping();
    }
    if (this.#stopped) return;
    this.#failures = seen.kind === "answers" ? 0 : this.#failures + 1;
    this.#observe(seen);
  }

  /** A kept session that has ended says nothing yet: clamd may have been started anew, or has a short ReadTimeout. */
  async #look(): Promise<Observation> {
    const kept = this.#session?.ended === false;
    const seen = await this.#ping();
    if (!kept || seen.kind !== "unreachable" || this.#stopped) return seen;
    this.#testAt = Math.min(this.#testAt, this.#testedAt + TEST_DISTANCE);
    return this.#ping();
  }

  async #ping(): Promise<Observation> {
    try {
      const session = await this.#open();
      await this.#within(PATIENCE, session, async () => {
        await session.ping();
        if (session.ended) throw new ClamdError("CLAMD_PROTOCOL", "it is not a clamd");
        if (!this.#versionless) await this.#learnVersion(session);
      });
      return { kind: "answers" };
    } catch (error) {
      if (!(error instanceof ClamdError)) throw error;
      if (error.code === "CLAMD_TIMEOUT" || error.code === "CLAMD_BUSY") return { kind: "silent" };
      return { kind: "unreachable", why: error.message };
    }
  }

  /** Another version is another database, too. */
  async #learnVersion(session: ClamdSession): Promise<void> {
    const version = await session.version().catch((error: unknown) => {
      if (session.ended && error instanceof ClamdError && error.code === "CLAMD_CLOSED") return "";
      throw error;
    });
    // EnableVersionCommand no (clamd 1.5): the session is closed.
    if (!version.startsWith("ClamAV ")) this.#versionless = true;
    else if (version !== this.#version) {
      if (this.#version !== "" && this.#canary > 0) this.#testAt = this.#edge.now();
      this.#version = version;
    }
  }

  async #open(): Promise<ClamdSession> {
    if (this.#session !== null && !this.#session.ended) return this.#session;
    this.#session = await this.#edge.connect(this.address, PATIENCE, () => {
      // Not the end that a look has brought about: clamd has gone, or is restarted.
      if (this.#resting) this.hurry();
    });
    // Its like is not opened when we were stopped meanwhile.
    if (this.#stopped) this.#session.quit();
    return this.#session;
  }

  /** Gives a session so much time for something; what is late costs the session, and clamd drops the work. */
  async #within<T>(milliseconds: number, session: ClamdSession, work: () => Promise<T>): Promise<T> {
    const undo = this.#edge.after(milliseconds, () =>
      session.fail(new ClamdError("CLAMD_TIMEOUT", `no answer within ${milliseconds} ms`)),
    );
    try {
      return await work();
    } finally {
      undo();
    }
  }

  async #test(patience: number): Promise<void> {
    this.#versionless = false;
    const shown = await this.#shown(patience);
    if (this.#stopped) return;
    const now = this.#edge.now();
    this.#testedAt = now;
    if (typeof shown !== "string") {
      // One that is gone has other news.
      if (this.#tries++ === 0 && this.#session?.ended === false)
        this.#tell(this.#record, [{ kind: "untested", why: shown.why }]);
    } else {
      this.#tries = 0;
      if (this.#canary > 0) this.#observe({ kind: "canary", found: shown === "found" });
    }
    this.#testAt = now + canaryPause(this.#record, this.#tries, this.#canary);
  }

  /**
   * What a test message shows, sent as mail will be. To a unix socket it is tried to pass it as a descriptor. A scanner
   * without its temporary directory calls what it is passed clean, and fails for what it is streamed (clamd 1.4): so
   * "clean" is believed only where a virus was found in this way before, or when the stream has the same answer.
   */
  async #shown(patience: number): Promise<Tested> {
    const infected = this.#canary > 0;
    const local = this.address.kind === "unix";
    if (!local) return infected ? this.#scan(infected, false, patience) : "clean";
    const passed = await this.#scan(infected, true, patience);
    if (!infected) {
      this.#observe({ kind: "passing", works: passed === "clean" });
      return "clean";
    }
    const known = this.#record.passing && this.#record.proven;
    const enough = passed === "found" || (passed === "clean" && known);
    const shown = enough ? passed : await this.#scan(infected, false, patience);
    this.#observe({ kind: "passing", works: enough || (passed === "clean" && shown === "clean") });
    return shown;
  }

  async #scan(infected: boolean, passing: boolean, patience: number): Promise<Tested> {
    const bytes = canaryMail(this.#edge.randomBytes(CANARY_RANDOMNESS), infected);
    let descriptor: number | null = null;
    try {
      const session = await this.#open();
      const open = passing ? this.#edge.sealed(bytes) : null;
      descriptor = open;
      const source = sourceOf(bytes, () => open ?? -1);
      return testedOf(await this.#within(patience, session, () => session.scan(source, passing)));
    } catch (error) {
      return { why: error instanceof Error ? error.message : String(error) };
    } finally {
      if (descriptor !== null) this.#edge.close(descriptor);
    }
  }

  #observe(seen: Observation): void {
    if (this.#stopped) return;
    const { record, events } = observe(this.#record, seen, this.#edge.now());
    this.#record = record;
    this.#tell(record, events);
  }
}

function testedOf(reply: ScanReply): Tested {
  if (reply.kind === "infected") return "found";
  if (reply.kind === "clean") return "clean";
  return { why: reply.kind === "failed" ? reply.text : "it takes the message for too large" };
}
