import type { Settings } from "../config/settings.ts";
import type { BlacklistToChild, PolicyAnswer } from "../ipc/policy-messages.ts";
import { Blacklist } from "../policy/blacklist.ts";
import { EMPTY_WHITELIST, type Whitelist } from "../policy/whitelist.ts";

type WhitelistPortion = Extract<PolicyAnswer, { type: "whitelist" }>;

/** A child's copies of the lists that others keep: the blacklist is the supervisor's, the whitelist the keeper's. */
export class PolicyTables {
  readonly #blacklist: Blacklist;
  readonly #now: () => number;
  readonly #whitelistCame = Promise.withResolvers<void>();
  readonly #blacklistCame = Promise.withResolvers<void>();
  #whitelist: Whitelist = EMPTY_WHITELIST;
  #from: string[] = [];
  #to: string[] = [];

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now;
    this.#blacklist = new Blacklist();
  }

  get whitelist(): Whitelist {
    return this.#whitelist;
  }

  /** Resolves when each table that these settings use has come for the first time. */
  async came(used: Pick<Settings, "whitelistFile" | "blacklistTime">): Promise<void> {
    if (used.whitelistFile !== null) await this.#whitelistCame.promise;
    if (used.blacklistTime > 0) await this.#blacklistCame.promise;
  }

  isBlacklisted(address: string): boolean {
    return this.#blacklist.has(address, this.#now());
  }

  /** Takes what the supervisor says. Answers whether the next portion is to be asked for. */
  takeBlacklist(message: BlacklistToChild): boolean {
    const now = this.#now();
    if (message.type === "unblacklist") {
      for (const address of message.addresses) this.#blacklist.remove(address);
      return false;
    }
    this.#blacklist.forgetOld(now);
    for (const [address, left] of message.entries) this.#blacklist.add(address, now + left, now);
    if (message.part === "last portion") this.#blacklistCame.resolve();
    return message.part === "portion";
  }

  /** Takes a portion of the whitelist. Answers whether it was the last: the new list counts then. */
  takeWhitelist({ from, to, first, last }: WhitelistPortion): boolean {
    if (first) {
      this.#from = [];
      this.#to = [];
    }
    for (const address of from) this.#from.push(address);
    for (const address of to) this.#to.push(address);
    if (!last) return false;
    this.#whitelist = { from: new Set(this.#from), to: new Set(this.#to) };
    this.#from = [];
    this.#to = [];
    this.#whitelistCame.resolve();
    return true;
  }
}
