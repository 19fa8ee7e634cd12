import type { Settings } from "../config/settings.ts";
import type { ChildOptions } from "../ipc/messages.ts";
import type { Log } from "../log/log.ts";
import { countYoungDeaths, respawnPause } from "./backoff.ts";
import { type ChildEvents, type ChildProcess, startChild } from "./child-process.ts";

/** A child must accept mail within this time of its start, or it is replaced. Milliseconds. */
const READY_PATIENCE = 15_000;
/** Messages in scanning get so long to be answered when the program stops. */
const DRAIN_PATIENCE = 30_000;

interface Place {
  child: ChildProcess | null;
  startedAt: number;
  ready: boolean;
  youngDeaths: number;
  timer: ReturnType<typeof setTimeout> | null;
}

/** What the children need to be started with. */
export interface ChildrenPlan {
  readonly count: number;
  readonly settings: Settings;
  readonly options: Omit<ChildOptions, "listeners">;
  readonly listeners: readonly number[];
}

/** The milter children: started, replaced when they die, and ended. */
export class Children implements ChildEvents {
  readonly #plan: ChildrenPlan;
  readonly #log: Log;
  readonly #places: Place[];
  readonly #started = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #starting = true;
  #stopping = false;

  constructor(plan: ChildrenPlan, log: Log) {
    this.#plan = plan;
    this.#log = log;
    this.#places = Array.from({ length: plan.count }, () => ({
      child: null,
      startedAt: 0,
      ready: false,
      youngDeaths: 0,
      timer: null,
    }));
  }

  /**
   * Starts all; resolves when every one accepts mail.
   * @throws Error when one ends or says nothing before that
   */
  async start(): Promise<void> {
    for (const place of this.#places) this.#fill(place);
    await this.#started.promise;
    this.#starting = false;
  }

  /** Lets the children finish what is in scanning; resolves when all are gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const place of this.#places) {
      this.#clearTimer(place);
      place.child?.send({ type: "drain" });
    }
    this.#checkEnded();
    const timer = setTimeout(() => this.kill(), DRAIN_PATIENCE);
    await this.#ended.promise;
    clearTimeout(timer);
  }

  /** Ends all at once. */
  kill(): void {
    this.#stopping = true;
    for (const place of this.#places) place.child?.kill();
  }

  onReady(child: ChildProcess): void {
    const place = this.#placeOf(child);
    if (place === undefined || place.ready) return;
    place.ready = true;
    this.#clearTimer(place);
    this.#log("verbose", `child ${child.pid} accepts mail`);
    if (this.#starting && this.#places.every((each) => each.ready)) this.#started.resolve();
  }

  onOffence(child: ChildProcess, what: string): void {
    this.#log("error", `child ${child.pid} ${what}: killed`);
  }

  onExit(child: ChildProcess, how: string): void {
    const place = this.#placeOf(child);
    if (place === undefined) return;
    place.child = null;
    place.ready = false;
    this.#clearTimer(place);
    if (this.#stopping) {
      this.#checkEnded();
      return;
    }
    if (this.#starting) {
      this.#started.reject(new Error(`a child process ${how} before it accepted mail`));
      return;
    }
    place.youngDeaths = countYoungDeaths(place.youngDeaths, performance.now() - place.startedAt);
    const pause = respawnPause(place.youngDeaths);
    this.#log("error", `child ${child.pid} ${how}; replaced${pause === 0 ? "" : ` in ${pause / 1000} s`}`);
    place.timer = setTimeout(() => this.#fill(place), pause);
  }

  #fill(place: Place): void {
    place.startedAt = performance.now();
    place.timer = setTimeout(() => this.#tooSlow(place), READY_PATIENCE);
    const { settings, options, listeners } = this.#plan;
    startChild(settings, options, listeners, this).then(
      (child) => {
        place.child = child;
        if (this.#stopping) child.kill();
      },
      (error: unknown) => this.#notStarted(place, error),
    );
  }

  #notStarted(place: Place, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#clearTimer(place);
    if (this.#starting) {
      this.#started.reject(new Error(`a child process cannot be started: ${reason}`));
      return;
    }
    place.youngDeaths++;
    const pause = respawnPause(place.youngDeaths);
    this.#log("error", `a child cannot be started: ${reason}; tried again in ${pause / 1000} s`);
    place.timer = setTimeout(() => this.#fill(place), pause);
  }

  #tooSlow(place: Place): void {
    this.#log("error", `child ${place.child?.pid ?? ""} does not get ready: killed`);
    place.child?.kill();
  }

  #checkEnded(): void {
    if (this.#places.every((place) => place.child === null)) this.#ended.resolve();
  }

  #placeOf(child: ChildProcess): Place | undefined {
    return this.#places.find((place) => place.child === child);
  }

  #clearTimer(place: Place): void {
    if (place.timer !== null) clearTimeout(place.timer);
    place.timer = null;
  }
}
