import type { BlacklistFromChild, BlacklistToChild } from "../ipc/policy-messages.ts";
import type { Log } from "../log/log.ts";
import { Blacklist } from "../policy/blacklist.ts";
import {
  canonicalAddress,
  isLoopback,
  isOnLan,
  type Network,
  parseClientAddress,
  parseNetworks,
} from "../policy/networks.ts";

/** Entries in one message to a child: well below the channel's bound. */
const PORTION = 2000;

/** What the blacklist is made from. */
export interface BlacklistPlan {
  /** `--blacklist-time`, milliseconds. */
  readonly time: number;
  /** `--dont-blacklist`. */
  readonly exempt: readonly string[];
  /** `--ignore`. */
  readonly ignoreNets: readonly string[];
}

/** A child, as far as the blacklist is concerned. */
export interface BlacklistReader {
  send(message: BlacklistToChild): void;
}

/**
 * The blacklist of the whole program (`--blacklist-time`, decisions 4): children report who sent infected mail, and
 * all of them are told at once. It outlives any child.
 */
export class Blacklisting {
  readonly #plan: BlacklistPlan;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #list: Blacklist;
  readonly #own: ReadonlySet<string>;
  readonly #ignored: readonly Network[];
  /** Children, each with what it has not been given yet. */
  readonly #readers = new Map<BlacklistReader, IterableIterator<[string, number]> | null>();
  #peers: ReadonlySet<string> = new Set();

  /** @param now milliseconds of a clock that never goes back */
  constructor(plan: BlacklistPlan, log: Log, now: () => number, list = new Blacklist()) {
    this.#plan = plan;
    this.#log = log;
    this.#now = now;
    this.#list = list;
    this.#own = new Set(plan.exempt.map((address) => canonicalAddress("inet", address)));
    this.#ignored = parseNetworks(plan.ignoreNets);
    for (const address of this.#own) log("info", `Won't blacklist ${address}`);
  }

  get size(): number {
    return this.#list.size;
  }

  /** A child begins: it is given the whole list, and told of what follows. */
  join(child: BlacklistReader): void {
    this.#list.forgetOld(this.#now());
    this.#readers.set(child, this.#list.entries());
    this.#handOver(child);
  }

  leave(child: BlacklistReader): void {
    this.#readers.delete(child);
  }

  onMessage(child: BlacklistReader, message: BlacklistFromChild): void {
    if (message.type === "blacklistNext") this.#handOver(child);
    else this.#add(message.address, message.because);
  }

  /** Our MX peers, all of them: they are not listed, and taken off the list. */
  setPeers(addresses: readonly string[]): void {
    const peers = new Set(addresses.map((address) => canonicalAddress("inet", address)));
    peers.delete("");
    const fresh = [...peers].filter((address) => !this.#peers.has(address));
    this.#peers = peers;
    for (const address of fresh) this.#log("info", `Won't blacklist ${address}`);
    const freed = fresh.filter((address) => this.#list.remove(address));
    if (freed.length > 0) this.#tell({ type: "unblacklist", addresses: freed });
  }

  #add(said: string, because: string): void {
    const address = canonicalAddress("inet", said);
    if (address === "" || this.#isExempt(address)) return;
    const now = this.#now();
    const { time } = this.#plan;
    this.#list.forgetOld(now);
    if (this.#list.add(address, now + time, now)) {
      this.#log("info", `Will blacklist ${address} for ${time / 1000} seconds because of ${because}`);
    }
    this.#tell({ type: "blacklist", entries: [[address, time]], part: "news" });
  }

  /** A child looks at these, too; but what it says may come from whoever has taken it over. */
  #isExempt(address: string): boolean {
    if (this.#own.has(address) || this.#peers.has(address)) return true;
    const parsed = parseClientAddress(address);
    return parsed === null || isLoopback(parsed) || isOnLan(parsed, this.#ignored);
  }

  #tell(message: BlacklistToChild): void {
    for (const child of this.#readers.keys()) child.send(message);
  }

  #handOver(child: BlacklistReader): void {
    const rest = this.#readers.get(child);
    if (rest === undefined || rest === null) return;
    const entries: [string, number][] = [];
    const now = this.#now();
    while (entries.length < PORTION) {
      const next = rest.next();
      if (next.done === true) {
        this.#readers.set(child, null);
        child.send({ type: "blacklist", entries, part: "last portion" });
        return;
      }
      const [address, until] = next.value;
      if (until > now) entries.push([address, Math.ceil(until - now)]);
    }
    child.send({ type: "blacklist", entries, part: "portion" });
  }
}
