/** The built-in engine, as long as the program runs: started, replaced when it dies, renewed with its database. */
import type { EngineSettings } from "../config/engine-settings.ts";
import { DatabaseWatch } from "../engine/database-watch.ts";
import { loadLibrary } from "../engine/library.ts";
import type { EngineOptions, FromEngine } from "../ipc/engine-messages.ts";
import type { Log } from "../log/log.ts";
import { closeDescriptor } from "../os/libc.ts";
import { makeEngineDirectory, removeEngineDirectory, restoreEngineDirectory } from "./engine-place.ts";
import { openEngineListener } from "./engine-socket.ts";
import { LoadTimer } from "./load-timer.ts";
import { type RoleEvents, type RoleProcess, startRole } from "./role-process.ts";
import { TemporaryNews } from "./temporary-news.ts";

/** Loading the real database takes a minute on a slow host. Milliseconds. */
const LOAD_PATIENCE = 600_000;
/** What an engine that leaves may take besides the longest scan. */
const LEAVE_GRACE = 5_000;

/** What the engines are run with. */
export interface EnginesWorld {
  /** Address of the socket in the abstract namespace, where nobody removes it. */
  readonly socket: string;
  readonly jail: string | null;
  readonly log: Log;
  /** `--dont-scan-on-error`: the program starts without an engine, too. */
  readonly startWithout: boolean;
}

/** One engine process. */
interface Engine {
  readonly options: EngineOptions;
  readonly startedAt: number;
  role: RoleProcess | null;
  loaded: Extract<FromEngine, { type: "loaded" }> | null;
  /** Why it cannot be used, in its own words. */
  unusable: string | null;
  /** Whether nothing but another database or library can help. */
  judged: boolean;
  /** A thread of it does not come back. */
  stuck: boolean;
  timer: ReturnType<typeof setTimeout> | null;
}

/**
 * One engine serves; another may load beside it, and takes over when its database is sound. The listening socket
 * outlives them: while one is replaced clients wait, and are served by the next.
 */
export class Engines {
  readonly #world: EnginesWorld;
  readonly #started = Promise.withResolvers<void>();
  readonly #leaving = new Set<Engine>();
  #settings: EngineSettings;
  #serving: Engine | null = null;
  #loading: Engine | null = null;
  #listener: number | null = null;
  #watch: DatabaseWatch | null = null;
  #monitor: ReturnType<typeof setInterval> | null = null;
  readonly #timer = new LoadTimer(() => this.#load());
  /** The settings or the database have changed while one was loaded. */
  #again = false;
  #told = "";
  readonly #temporary: TemporaryNews;
  /** Whether the last that served finds the test virus: one that does not takes over from none that does. */
  #found = false;
  /** Whether any engine has ever served. */
  #served = false;
  #stopped = false;

  constructor(settings: EngineSettings, world: EnginesWorld) {
    this.#settings = settings;
    this.#world = world;
    this.#temporary = new TemporaryNews(world.log);
  }

  /**
   * Resolves when an engine serves.
   * @throws Error with what is missing, unless the program may start without
   */
  start(): Promise<void> {
    this.#load();
    this.#startMonitor();
    return this.#started.promise;
  }

  /** Processes that live now. */
  get pids(): readonly number[] {
    return [this.#serving, this.#loading, ...this.#leaving].flatMap((engine) => engine?.role?.pid ?? []);
  }

  /** Takes new settings: with others an engine is loaded anew. */
  renew(settings: EngineSettings): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
    const moved = settings.databaseDirectory !== this.#settings.databaseDirectory;
    this.#settings = settings;
    if (moved) this.#watch = null;
    this.#startMonitor();
    this.reload("the settings have changed");
  }

  /** Loads the database beside the one in use. */
  reload(why: string): void {
    if (this.#stopped) return;
    this.#world.log("info", `${why}: the virus database is loaded anew`);
    if (this.#loading !== null) this.#again = true;
    else this.#load();
  }

  /** Ends all. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#monitor !== null) clearInterval(this.#monitor);
    this.#timer.cancel();
    this.#watch?.forget();
    this.#closeListener();
    for (const engine of [this.#serving, this.#loading, ...this.#leaving]) engine?.role?.kill();
    while (this.pids.length > 0) await Bun.sleep(5);
  }

  #startMonitor(): void {
    if (this.#monitor !== null) clearInterval(this.#monitor);
    this.#monitor = setInterval(() => this.#look(), this.#settings.monitor * 1000);
  }

  #look(): void {
    // Where nothing serves the next attempt is near; an attempt that may be an hour away is not waited for.
    const near = this.#timer.pending && (this.#serving === null || this.#serving.stuck);
    if (this.#loading === null && !near && this.#watch?.changed() === true)
      this.reload("the virus database has changed");
  }

  #load(): void {
    this.#timer.cancel();
    if (this.#loading !== null || this.#stopped) return;
    this.#again = false;
    let options: EngineOptions;
    try {
      options = makeEngineDirectory(this.#settings, this.#world.jail);
    } catch (error) {
      this.#failed(`no temporary directory for scans can be made: ${messageOf(error)}`, false);
      return;
    }
    const startedAt = performance.now();
    const engine: Engine = { options, startedAt, role: null, loaded: null, ...NOTHING_TOLD, timer: null };
    this.#loading = engine;
    this.#rememberDatabase();
    startRole("engine", [], this.#eventsOf(engine)).then(
      (role) => {
        engine.role = role;
        engine.timer = setTimeout(() => role.kill(), LOAD_PATIENCE);
        if (this.#stopped) role.kill();
        else role.send({ type: "start", settings: this.#settings, options });
      },
      (error: unknown) => this.#onExit(engine, `cannot be started: ${messageOf(error)}`),
    );
  }

  /** Before it is read: what changes while it is loaded counts as new. */
  #rememberDatabase(): void {
    try {
      this.#watch ??= new DatabaseWatch(loadLibrary(), this.#settings.databaseDirectory);
      this.#watch.remember();
    } catch {
      // No library: the engine says so.
    }
  }

  #eventsOf(engine: Engine): RoleEvents {
    return {
      onReady: (role) => this.#onReady(engine, role),
      onExit: (role, how) => this.#onExit(engine, `engine ${role.pid} ${how}`),
      onOffence: (role, what) => this.#world.log("error", `engine ${role.pid} ${what}: killed`),
      onEngine: (role, message) => this.#onTold(engine, role, message),
    };
  }

  #onTold(engine: Engine, role: RoleProcess, message: FromEngine): void {
    const { log } = this.#world;
    if (message.type === "loaded") engine.loaded = message;
    else if (message.type === "unusable") {
      engine.unusable = message.reason;
      engine.judged = message.judged;
    } else if (message.type === "idle" && this.#leaving.has(engine)) role.kill();
    else if (message.type === "stuck" && engine === this.#serving) {
      log("error", `engine ${role.pid} does not come back from a message: another takes its place`);
      engine.stuck = true;
      if (this.#loading === null) this.#load();
    } else if (message.type === "temporary") {
      this.#temporary.tell(message.problem);
      if (message.problem !== null) restoreEngineDirectory(engine.options);
    }
  }

  #onReady(engine: Engine, role: RoleProcess): void {
    const { log } = this.#world;
    const { loaded } = engine;
    if (engine !== this.#loading || loaded === null) {
      role.kill();
      return;
    }
    const old = this.#serving;
    if (this.#found && !loaded.finds) {
      engine.unusable = "it does not find the test virus, which was found before";
      engine.judged = true;
      role.kill();
      return;
    }
    if (engine.timer !== null) clearTimeout(engine.timer);
    this.#loading = null;
    this.#serving = engine;
    this.#told = "";
    this.#served = true;
    this.#timer.loaded();
    this.#found = loaded.finds;
    if (old !== null) this.#dismiss(old);
    this.#listen(role);
    log("info", `virus database loaded: ${loaded.signatures} signatures, ${loaded.version}`);
    for (const warning of loaded.warnings) log("warning", `libclamav: ${warning}`);
    if (!loaded.finds) log("warning", "the virus database does not know the test virus EICAR");
    this.#started.resolve();
    if (this.#again) this.#load();
  }

  #dismiss(engine: Engine): void {
    this.#leaving.add(engine);
    engine.role?.send({ type: "retire" });
    engine.timer = setTimeout(() => engine.role?.kill(), this.#settings.scanDeadline + LEAVE_GRACE);
  }

  #listen(role: RoleProcess): void {
    try {
      this.#listener ??= openEngineListener(this.#world.socket);
      role.send({ type: "listen", number: role.pass([this.#listener]) });
    } catch (error) {
      this.#world.log("error", `engine ${role.pid} cannot be reached: ${messageOf(error)}`);
      role.kill();
    }
  }

  #closeListener(): void {
    if (this.#listener !== null) closeDescriptor(this.#listener);
    this.#listener = null;
  }

  #onExit(engine: Engine, how: string): void {
    engine.role = null;
    if (engine.timer !== null) clearTimeout(engine.timer);
    if (!this.#settings.leaveTemporaryFiles) removeEngineDirectory(engine.options);
    if (this.#leaving.delete(engine) || this.#stopped) return;
    if (engine === this.#loading) {
      this.#loading = null;
      this.#failed(engine.unusable ?? how, engine.judged);
      return;
    }
    if (engine !== this.#serving) return;
    this.#serving = null;
    // One is loaded already: it takes over as soon as it can.
    const lived = performance.now() - engine.startedAt;
    const pause = this.#loading === null ? this.#timer.afterDeath(lived) : 0;
    this.#world.log("error", `${how}; replaced${pause === 0 ? "" : ` in ${pause / 1000} s`}`);
  }

  /**
   * No engine came of an attempt: the old one stays, if there is one; else mail is not left waiting.
   * @param judged whether nothing but another database or library can help
   */
  #failed(reason: string, judged: boolean): void {
    const { log } = this.#world;
    if (this.#serving !== null) {
      log("error", `the virus database stays as it was: ${reason}`);
      if (this.#again) this.#load();
      else if (this.#serving.stuck) this.#timer.urgently();
      // Nobody has said that the database is bad: without another attempt it would wait for the next change.
      else if (!judged) this.#timer.patiently();
      return;
    }
    this.#closeListener();
    if (!this.#served && !this.#world.startWithout) {
      // Whoever starts the program is told, and it ends.
      this.#started.reject(new Error(reason));
      return;
    }
    if (reason !== this.#told) log("error", `nothing can be scanned: ${reason}`);
    this.#told = reason;
    this.#started.resolve();
    this.#timer.urgently();
  }
}

const NOTHING_TOLD = { unusable: null, judged: false, stuck: false } as const;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
