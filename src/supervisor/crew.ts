import type { Settings } from "../config/settings.ts";
import type { ChildOptions } from "../ipc/messages.ts";
import { FIRST_LISTENER_FD } from "../ipc/role.ts";
import type { Log } from "../log/log.ts";
import { descriptorSocketPair } from "../os/descriptor-passing.ts";
import { closeDescriptor, socketPair } from "../os/libc.ts";
import { AcceptDesk } from "./accept-desk.ts";
import { BlacklistDesk } from "./blacklist-desk.ts";
import { EndlessDesk } from "./endless-desk.ts";
import { Place, type PlaceEvents } from "./place.ts";
import { type RoleEvents, type RoleProcess, startRole } from "./role-process.ts";
import { ScannerDesk } from "./scanner-desk.ts";
import { SlotDesk } from "./slot-desk.ts";

/** Messages in scanning get so long to be answered when the program stops. Milliseconds. */
const DRAIN_PATIENCE = 30_000;
/** The keeper has what is left to write in this time. */
const KEEPER_PATIENCE = 5_000;

/** What the processes need to be started with. */
export interface CrewPlan {
  readonly children: number;
  readonly options: Omit<ChildOptions, "listeners" | "scanners">;
  readonly listeners: readonly number[];
  /** A socket for broadcasts, for the keeper; or null. */
  readonly broadcast: number | null;
}

/** All processes below the supervisor: the keeper and the milter children, and the links between them. */
export class Crew {
  readonly #plan: CrewPlan;
  readonly #log: Log;
  readonly #keeper: Place;
  readonly #children: readonly Place[];
  readonly #slots: SlotDesk;
  readonly #scanners: ScannerDesk;
  readonly #endless = new EndlessDesk();
  readonly #accepting = new AcceptDesk();
  readonly #blacklist: BlacklistDesk;
  readonly #started = Promise.withResolvers<void>();
  #settings: Settings;

  constructor(plan: CrewPlan, settings: Settings, log: Log) {
    this.#plan = plan;
    this.#log = log;
    this.#settings = settings;
    this.#slots = new SlotDesk(settings);
    this.#scanners = new ScannerDesk(settings.servers);
    this.#blacklist = new BlacklistDesk(settings, log);
    this.#keeper = new Place("keeper", this.#keeperEvents(), log);
    this.#children = Array.from(
      { length: plan.children },
      () => new Place("child", this.#childEvents(), log),
    );
  }

  /**
   * Starts all, the keeper first; resolves when mail is accepted.
   * @throws Error when one ends before that
   */
  start(): Promise<void> {
    this.#keeper.fill();
    return this.#started.promise;
  }

  /** Gives everybody new settings. */
  renew(settings: Settings): void {
    this.#settings = settings;
    // One that is not ready yet was started with the old ones.
    for (const place of [this.#keeper, ...this.#children])
      place.anyRole?.send({ type: "settings", settings });
    this.#slots.renew(settings);
    this.#scanners.renew(settings.servers);
  }

  reopenLogs(): void {
    this.#keeper.anyRole?.send({ type: "reopenLogs" });
  }

  /** What the children have told of their slots so far. */
  get slotReports(): number {
    return this.#slots.reports;
  }

  /** Whether any child accepts mail, and shows it by answering its heartbeats. */
  get answers(): boolean {
    return this.#children.some((place) => place.role?.answering === true);
  }

  /** Lets the children finish what is in scanning, then ends the keeper. */
  async stop(): Promise<void> {
    const gone = this.#children.map((place) => place.close());
    for (const place of this.#children) place.anyRole?.send({ type: "drain" });
    await this.#within(DRAIN_PATIENCE, this.#children, Promise.all(gone));
    const ended = this.#keeper.close();
    this.#keeper.anyRole?.send({ type: "end" });
    await this.#within(KEEPER_PATIENCE, [this.#keeper], ended);
  }

  /** Ends all at once. */
  async kill(): Promise<void> {
    const places = [...this.#children, this.#keeper];
    const gone = places.map((place) => place.close());
    for (const place of places) place.kill();
    await Promise.all(gone);
  }

  async #within(patience: number, places: readonly Place[], gone: Promise<unknown>): Promise<void> {
    const timer = setTimeout(() => {
      for (const place of places) place.kill();
    }, patience);
    await gone;
    clearTimeout(timer);
  }

  #keeperEvents(): PlaceEvents {
    const { broadcast } = this.#plan;
    return {
      start: (events) =>
        startRole(
          "keeper",
          broadcast === null ? [] : [broadcast],
          this.#blacklist.watchKeeper(this.#scanners.watchKeeper(events)),
        ),
      onStarted: (role) =>
        role.send({
          type: "start",
          settings: this.#settings,
          scanners: this.#scanners.state,
          broadcast: broadcast !== null,
        }),
      onReady: (role) => {
        for (const place of this.#children) {
          if (place.anyRole !== null) this.#link(place.anyRole, role);
          else if (!place.begun) place.fill();
        }
      },
      onGone: () => {},
      onFirstFailed: (why) => this.#started.reject(new Error(why)),
    };
  }

  #childEvents(): PlaceEvents {
    const { options, listeners } = this.#plan;
    const inherited = listeners.map((_, at) => FIRST_LISTENER_FD + at);
    return {
      start: (events) =>
        startRole("child", listeners, {
          ...this.#watched(events),
          // A keeper that is not there yet is linked with all when it is.
          onUnlinked: (role) => {
            if (this.#keeper.role !== null) this.#link(role, this.#keeper.role);
          },
        }),
      onStarted: (role) => {
        const { health: scanners } = this.#scanners;
        const own = { ...options, listeners: inherited, scanners };
        role.send({ type: "start", settings: this.#settings, options: own });
        this.#scanners.join(role);
        this.#slots.join(role);
        this.#endless.join(role);
        this.#blacklist.join(role);
        if (this.#keeper.role !== null) this.#link(role, this.#keeper.role);
      },
      onReady: () => {
        if (this.#children.every((place) => place.role !== null)) this.#started.resolve();
      },
      onGone: () => {},
      onFirstFailed: (why) => this.#started.reject(new Error(why)),
    };
  }

  /** The events of a child's place, with ears for all that children tell. */
  #watched(events: RoleEvents): RoleEvents {
    const watched = this.#endless.watch(this.#accepting.watch(this.#slots.watch(events)));
    return this.#blacklist.watch(this.#scanners.watch(watched));
  }

  /**
   * Puts a child and the keeper in touch: each gets its ends of two socket pairs. Whoever does not take them is dead,
   * though we were not told yet, or hangs: it is replaced, and linked then.
   */
  #link(child: RoleProcess, keeper: RoleProcess): void {
    const open: number[] = [];
    let taker = child;
    try {
      const [ours, theirs] = socketPair();
      open.push(ours, theirs);
      const [ourPassing, theirPassing] = descriptorSocketPair();
      open.push(ourPassing, theirPassing);
      taker = keeper;
      keeper.send({ type: "child", number: keeper.pass([ours, ourPassing]) });
      taker = child;
      child.send({ type: "keeper", number: child.pass([theirs, theirPassing]) });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log("error", `process ${taker.pid} cannot be linked: ${reason}`);
      taker.kill();
    } finally {
      for (const descriptor of open) closeDescriptor(descriptor);
    }
  }
}
