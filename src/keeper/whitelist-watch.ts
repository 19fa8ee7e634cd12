import type { PolicyAnswer } from "../ipc/policy-messages.ts";
import type { Log } from "../log/log.ts";
import { parseWhitelist } from "../policy/whitelist.ts";

/** Milliseconds between two looks at the file. */
const LOOK_INTERVAL = 2000;
/** Characters of addresses in one message to a child: each is five bytes of JSON at most, and some. */
const PORTION = 40_000;
/** Faulty lines that are told one by one. */
const MOST_FAULTS = 20;

export type WhitelistPortion = Extract<PolicyAnswer, { type: "whitelist" }>;

/** What reading the whitelist needs of the system. */
export interface WhitelistEdge {
  /** The text of a file, one character a byte; null when it does not exist. @throws Error when it cannot be read */
  read(path: string): string | null;
  /** A text that changes when the file does. Never throws. */
  stamp(path: string): string;
}

/** Keeps the whitelist as it is on the disk; a file that cannot be read leaves it as it was. */
export class WhitelistWatch {
  readonly #path: string;
  readonly #edge: WhitelistEdge;
  readonly #log: Log;
  readonly #onChange: (portions: readonly WhitelistPortion[]) => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #portions: readonly WhitelistPortion[] = portionsOf([], []);
  #stamp = "";
  #known: string | null = null;

  constructor(
    path: string,
    edge: WhitelistEdge,
    log: Log,
    onChange: (portions: readonly WhitelistPortion[]) => void,
  ) {
    this.#path = path;
    this.#edge = edge;
    this.#log = log;
    this.#onChange = onChange;
    this.reload();
    this.#timer = setInterval(() => {
      if (this.#edge.stamp(path) !== this.#stamp) this.reload();
    }, LOOK_INTERVAL);
  }

  /** The list as it is handed to a child. */
  get portions(): readonly WhitelistPortion[] {
    return this.#portions;
  }

  reload(): void {
    // Before it is read: what is written meanwhile is seen the next time.
    this.#stamp = this.#edge.stamp(this.#path);
    try {
      const text = this.#edge.read(this.#path);
      if (text === null) throw new Error("there is no such file");
      if (text !== this.#known) this.#take(text);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log("error", `${this.#path}: the whitelist stays as it was: ${reason}`);
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #take(text: string): void {
    const { from, to, faults } = parseWhitelist(text);
    for (const { line, reason } of faults.slice(0, MOST_FAULTS)) {
      this.#log("error", `${this.#path}:${line}: ${reason}: the line is left out`);
    }
    const untold = faults.length - MOST_FAULTS;
    if (untold > 0) this.#log("error", `${this.#path}: ${untold} more lines are left out`);
    if (this.#known !== null) {
      this.#log(
        "info",
        `${this.#path}: whitelist read again: ${from.length} senders, ${to.length} recipients`,
      );
    }
    this.#known = text;
    this.#portions = portionsOf(from, to);
    this.#onChange(this.#portions);
  }
}

/** The list in messages that the channel takes; there is always one at least. */
export function portionsOf(from: readonly string[], to: readonly string[]): readonly WhitelistPortion[] {
  const portions: { from: string[]; to: string[] }[] = [{ from: [], to: [] }];
  let length = 0;
  for (const [name, addresses] of [["from", from] as const, ["to", to] as const]) {
    for (const address of addresses) {
      length += address.length;
      if (length > PORTION) {
        portions.push({ from: [], to: [] });
        length = address.length;
      }
      portions.at(-1)?.[name].push(address);
    }
  }
  const end = portions.length - 1;
  return portions.map((portion, at) => ({
    type: "whitelist",
    ...portion,
    first: at === 0,
    last: at === end,
  }));
}
