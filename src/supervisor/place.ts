import type { Log } from "../log/log.ts";
import { countYoungDeaths, respawnPause } from "./backoff.ts";
import type { RoleEvents, RoleProcess } from "./role-process.ts";

/** A role must be ready within this time of its start, or it is replaced. Milliseconds. */
const READY_PATIENCE = 15_000;

/** What a place is told to do, and tells. */
export interface PlaceEvents {
  /** Starts the process. */
  start(events: RoleEvents): Promise<RoleProcess>;
  /** It was started: gets its first message. */
  onStarted(role: RoleProcess): void;
  onReady(role: RoleProcess): void;
  /** It is gone, and replaced soon. */
  onGone(): void;
  /** The first one ended before it was ready: there is no point in another. */
  onFirstFailed(why: string): void;
}

/** A place that one process fills; it is filled again, with a growing pause, when the process dies or hangs. */
export class Place implements RoleEvents {
  readonly #title: string;
  readonly #events: PlaceEvents;
  readonly #log: Log;
  #role: RoleProcess | null = null;
  #ready = false;
  #everReady = false;
  #startedAt = 0;
  #youngDeaths = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #closed: (() => void) | null = null;
  #pending = false;

  constructor(title: string, events: PlaceEvents, log: Log) {
    this.#title = title;
    this.#events = events;
    this.#log = log;
  }

  /** The process, if it is ready. */
  get role(): RoleProcess | null {
    return this.#ready ? this.#role : null;
  }

  /** The process, ready or not. */
  get anyRole(): RoleProcess | null {
    return this.#role;
  }

  /** Whether it was ever filled. */
  get begun(): boolean {
    return this.#startedAt !== 0;
  }

  fill(): void {
    this.#startedAt = performance.now();
    this.#setTimer(READY_PATIENCE, () => {
      this.#log("error", `${this.#title} ${this.#role?.pid ?? ""} does not get ready: killed`);
      this.#role?.kill();
    });
    this.#pending = true;
    this.#events.start(this).then(
      (role) => {
        this.#pending = false;
        this.#role = role;
        if (this.#closed === null) this.#events.onStarted(role);
        else role.kill();
      },
      (error: unknown) => {
        this.#pending = false;
        this.#failed(`cannot be started: ${error instanceof Error ? error.message : error}`);
      },
    );
  }

  /** Is filled no more; resolves when the process has ended. Who calls tells it to end. */
  close(): Promise<void> {
    this.#clearTimer();
    if (this.#role === null && !this.#pending) return Promise.resolve();
    return new Promise((resolve) => {
      this.#closed = resolve;
    });
  }

  kill(): void {
    this.#role?.kill();
  }

  onReady(role: RoleProcess): void {
    if (this.#ready) return;
    this.#ready = true;
    this.#everReady = true;
    this.#clearTimer();
    this.#log("verbose", `${this.#title} ${role.pid} is ready`);
    this.#events.onReady(role);
  }

  onOffence(role: RoleProcess, what: string): void {
    this.#log("error", `${this.#title} ${role.pid} ${what}: killed`);
  }

  onExit(role: RoleProcess, how: string): void {
    this.#role = null;
    this.#ready = false;
    this.#clearTimer();
    if (this.#closed === null) this.#events.onGone();
    this.#failed(`${role.pid} ${how}`);
  }

  #failed(what: string): void {
    this.#clearTimer();
    if (this.#closed !== null) {
      this.#closed();
      return;
    }
    if (!this.#everReady) {
      this.#events.onFirstFailed(`${this.#title} ${what}`);
      return;
    }
    this.#youngDeaths = countYoungDeaths(this.#youngDeaths, performance.now() - this.#startedAt);
    const pause = respawnPause(this.#youngDeaths);
    this.#log("error", `${this.#title} ${what}; replaced${pause === 0 ? "" : ` in ${pause / 1000} s`}`);
    this.#setTimer(pause, () => this.fill());
  }

  #setTimer(pause: number, work: () => void): void {
    this.#clearTimer();
    this.#timer = setTimeout(work, pause);
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
