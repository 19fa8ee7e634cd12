import type { MacroStageName } from "./codes.ts";

/** The stages in the order in which an MTA passes them. */
const ORDER: readonly MacroStageName[] = [
  "connect",
  "helo",
  "mail",
  "rcpt",
  "data",
  "endOfHeaders",
  "endOfMessage",
];
const FIRST_OF_MESSAGE = ORDER.indexOf("mail");

/**
 * The macros an MTA has sent, by stage. A new list of a stage replaces that stage's and forgets those of all
 * later ones, as libmilter does: a value never outlives what it was said of.
 */
export class MacroTable {
  readonly #stages: (ReadonlyMap<string, string> | undefined)[] = [];

  /** Takes the macros that come before a command of `stage`. */
  set(stage: MacroStageName, pairs: readonly [string, string][]): void {
    const at = ORDER.indexOf(stage);
    this.#stages.length = Math.min(this.#stages.length, at);
    if (pairs.length === 0) return;
    this.#stages[at] = new Map(pairs.map(([name, value]) => [bareName(name), value]));
  }

  /**
   * A macro's value, the newest one said. `{client_addr}` and `client_addr` are one name: Postfix echoes the
   * spelling that was asked for, sendmail its own.
   */
  get(name: string): string | undefined {
    const bare = bareName(name);
    for (let at = this.#stages.length - 1; at >= 0; at--) {
      const value = this.#stages[at]?.get(bare);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** Forgets what was said of a message. */
  endMessage(): void {
    this.#stages.length = Math.min(this.#stages.length, FIRST_OF_MESSAGE);
  }

  /** Forgets everything: the next connexion on the same socket begins. */
  clear(): void {
    this.#stages.length = 0;
  }
}

function bareName(name: string): string {
  return name.startsWith("{") && name.endsWith("}") ? name.slice(1, -1) : name;
}
