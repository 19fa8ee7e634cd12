import { UNKNOWN } from "../access/pattern.ts";
import { verifyName } from "../access/verified-name.ts";

/** Milliseconds for both look-ups: decisions 4. */
const PATIENCE = 5000;
/** Milliseconds for which a name is taken as it was. */
const FRESH = 60_000;
const MOST_KEPT = 1000;
/** Look-ups under way at the same time. */
const MOST_ASKED = 256;

/** The name service. */
export interface NameService {
  /** The name that an address leads to. Rejects when there is none. */
  reverse(address: string): Promise<string>;
  /** The addresses that a name leads to. Rejects when there are none. */
  forward(name: string): Promise<readonly string[]>;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
}

interface Kept {
  readonly until: number;
  readonly name: Promise<string>;
}

/** Verified names of the hosts that connect to us. */
export class PeerNames {
  readonly #service: NameService;
  readonly #patience: number;
  readonly #kept = new Map<string, Kept>();
  #asked = 0;

  constructor(service: NameService, patience = PATIENCE) {
    this.#service = service;
    this.#patience = patience;
  }

  /**
   * The verified name of an address: one look-up for all who ask at the same time.
   * @throws Error when too many look-ups are under way
   */
  nameOf(address: string): Promise<string> {
    const now = this.#service.now();
    const kept = this.#kept.get(address);
    if (kept !== undefined && kept.until > now) return kept.name;
    if (this.#asked >= MOST_ASKED) return Promise.reject(new Error("too many names are being looked up"));
    this.#asked++;
    const name = this.#inTime(address).finally(() => {
      this.#asked--;
    });
    this.#kept.delete(address);
    this.#kept.set(address, { until: now + FRESH, name });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    return name;
  }

  async #inTime(address: string): Promise<string> {
    const late = Promise.withResolvers<string>();
    const timer = setTimeout(() => late.resolve(UNKNOWN), this.#patience);
    try {
      return await Promise.race([this.#lookUp(address), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #lookUp(address: string): Promise<string> {
    let reverse: string;
    try {
      reverse = await this.#service.reverse(address);
    } catch {
      return UNKNOWN;
    }
    // Some name services give the address itself when it has no name.
    if (reverse === address || reverse.length > 253) return UNKNOWN;
    const forward = await this.#service.forward(reverse.replace(/\.$/, "")).catch(() => []);
    return verifyName(reverse, forward, address);
  }
}
