import { type AccessRules, parseAccessFile, unreadableAccessFile } from "../access/access-file.ts";
import type { AccessTables } from "../access/decide.ts";
import { accessDependencies } from "../access/dependencies.ts";
import { ruleWarnings } from "../access/rule-warnings.ts";
import { MAX_MESSAGE } from "../ipc/channel.ts";
import type { AccessState } from "../ipc/messages.ts";
import type { Log } from "../log/log.ts";

/** Milliseconds between two looks at the files. */
const LOOK_INTERVAL = 2000;
/** Bytes that the rest of the message to a child needs at most. */
const ENVELOPE = 1024;

/** What reading the access tables needs of the system. */
export interface AccessEdge {
  readonly allow: string;
  readonly deny: string;
  /** The text of a file, one character a byte; null when it does not exist. @throws Error when it cannot be read */
  read(path: string): string | null;
  /** A text that changes when the file does. Never throws. */
  stamp(path: string): string;
  /** Hosts of a netgroup; an empty text stands for every host. Rejects when it is not to be had. */
  netgroup(name: string): Promise<readonly string[]>;
}

/** Keeps hosts.allow, hosts.deny and what they refer to as they are on the disk. */
export class AccessWatch {
  readonly #edge: AccessEdge;
  readonly #log: Log;
  readonly #onChange: (state: AccessState) => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #stamps = new Map<string, string>();
  #known = "";
  #state: AccessState | null = null;
  #loading = false;
  #again = false;

  constructor(edge: AccessEdge, log: Log, onChange: (state: AccessState) => void) {
    this.#edge = edge;
    this.#log = log;
    this.#onChange = onChange;
    this.#timer = setInterval(() => this.#look(), LOOK_INTERVAL);
    this.reload();
  }

  /** What was read last; null until that is done for the first time. */
  get state(): AccessState | null {
    return this.#state;
  }

  /** Reads all anew, netgroups too. */
  reload(): void {
    this.#again = true;
    if (this.#loading) return;
    this.#loading = true;
    void this.#loadAll().finally(() => {
      this.#loading = false;
    });
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const changed = [...this.#stamps].some(([path, stamp]) => this.#edge.stamp(path) !== stamp);
    if (changed) this.reload();
  }

  async #loadAll(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      const loading = new Loading(this.#edge);
      const loaded = await loading.load();
      this.#stamps = loading.stamps;
      const known = JSON.stringify(loaded);
      if (known === this.#known) continue;
      this.#known = known;
      this.#state = loaded.state;
      this.#onChange(loaded.state);
      for (const { level, text } of loaded.complaints) this.#log(level, text);
    }
  }
}

interface Complaint {
  readonly level: "error" | "warning";
  readonly text: string;
}

interface Loaded {
  readonly state: AccessState;
  readonly complaints: readonly Complaint[];
}

/** One reading of all files. */
class Loading {
  /** Of every file that was looked at, from before it was read. */
  readonly stamps = new Map<string, string>();
  readonly #edge: AccessEdge;
  readonly #complaints: Complaint[] = [];

  constructor(edge: AccessEdge) {
    this.#edge = edge;
  }

  async load(): Promise<Loaded> {
    const tables = { allow: this.#rules(this.#edge.allow), deny: this.#rules(this.#edge.deny) };
    const files = this.#files(tables);
    const netgroups = await this.#netgroups(tables, files);
    for (const text of [tables.allow, tables.deny].flatMap(ruleWarnings)) this.#complain("warning", text);
    const state = this.#within({ tables, files, netgroups });
    return { state, complaints: this.#complaints };
  }

  #rules(path: string): AccessRules {
    try {
      return parseAccessFile(this.#read(path) ?? "", path);
    } catch (error) {
      return unreadableAccessFile(path, reasonOf(error));
    }
  }

  /** The files that rules name, and those that these name. */
  #files(tables: AccessTables): Record<string, string | null> {
    const files: Record<string, string | null> = {};
    const tried = new Set<string>();
    for (;;) {
      const wanted = dependencies(tables, files).files.filter((path) => !tried.has(path));
      if (wanted.length === 0) return files;
      for (const path of wanted) {
        tried.add(path);
        try {
          files[path] = this.#read(path);
        } catch (error) {
          this.#complain("error", `${path}: cannot be read: ${reasonOf(error)}: rules that name it deny`);
        }
      }
    }
  }

  async #netgroups(
    tables: AccessTables,
    files: Readonly<Record<string, string | null>>,
  ): Promise<Record<string, readonly string[]>> {
    const names = [...new Set(dependencies(tables, files).netgroups)];
    const answers = await Promise.allSettled(names.map((name) => this.#edge.netgroup(name)));
    const netgroups: Record<string, readonly string[]> = {};
    for (const [at, name] of names.entries()) {
      const answer = answers[at];
      if (answer?.status === "fulfilled") netgroups[name] = answer.value;
      else
        this.#complain("error", `netgroup "@${name}": ${reasonOf(answer?.reason)}: rules that name it deny`);
    }
    return netgroups;
  }

  /** Tables that cannot be handed to the children as a whole deny everybody: a part could grant too much. */
  #within(state: AccessState): AccessState {
    const room = MAX_MESSAGE - ENVELOPE;
    const length = sizeOf(state);
    if (length <= room) return state;
    const { allow, deny } = state.tables;
    const sizes = [allow, deny].map((rules): [string, number] => [rules.fileName, sizeOf(rules)]);
    for (const [path, text] of Object.entries(state.files)) sizes.push([path, sizeOf(text)]);
    const [largest = [deny.fileName, 0]] = sizes.sort(([, one], [, other]) => other - one);
    const reason = `the access rules are too large (${length} bytes, ${room} are possible)`;
    this.#complain("error", `${largest[0]}: ${reason}: access is denied to everybody`);
    const tables = {
      allow: parseAccessFile("", allow.fileName),
      deny: unreadableAccessFile(largest[0], reason),
    };
    return { tables, files: {}, netgroups: {} };
  }

  #read(path: string): string | null {
    this.stamps.set(path, this.#edge.stamp(path));
    return this.#edge.read(path);
  }

  #complain(level: Complaint["level"], text: string): void {
    this.#complaints.push({ level, text });
  }
}

function dependencies(tables: AccessTables, files: Readonly<Record<string, string | null>>) {
  const found = [accessDependencies(tables.allow, files), accessDependencies(tables.deny, files)];
  return {
    files: found.flatMap((each) => each.files),
    netgroups: found.flatMap((each) => each.netgroups),
  };
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
