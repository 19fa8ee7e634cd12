import type { Log } from "../log/log.ts";

/** Milliseconds for all look-ups of one round (decisions 4; a resolver that is away must hold up nothing). */
const PATIENCE = 5000;
/** Milliseconds between two rounds; after one that failed the next is sooner, and later each time. */
const HOUR = 3_600_000;
const FIRST_RETRY = 60_000;
/** Exchanges and addresses that are taken: a resolver that lies must not fill the memory. */
const MOST_EXCHANGES = 50;
const MOST_ADDRESSES = 500;

/** The name service. Each rejects when there is no answer, with the code of node:dns in `code`. */
export interface MxService {
  exchanges(domain: string): Promise<readonly string[]>;
  addresses4(name: string): Promise<readonly string[]>;
  addresses6(name: string): Promise<readonly string[]>;
  isAddress(text: string): boolean;
}

/** Answers that say that there is nothing: no failure. */
const NOTHING: ReadonlySet<unknown> = new Set(["ENODATA", "ENOTFOUND", "NODATA", "NOTFOUND"]);

/** Looks up the addresses of the hosts that take mail for our domains, now and every hour. */
export class MxPeers {
  readonly #domains: readonly string[];
  readonly #service: MxService;
  readonly #log: Log;
  readonly #onPeers: (addresses: readonly string[]) => void;
  readonly #patience: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What was found last, and what a round that failed in part has added. */
  #known: readonly string[] = [];
  #retry = FIRST_RETRY;
  #stopped = false;

  /** @param patience milliseconds for one round */
  constructor(
    domains: readonly string[],
    service: MxService,
    log: Log,
    onPeers: (addresses: readonly string[]) => void,
    patience = PATIENCE,
  ) {
    this.#domains = domains;
    this.#service = service;
    this.#log = log;
    this.#onPeers = onPeers;
    this.#patience = patience;
  }

  /** One round of look-ups; the next is planned when it is over. Never rejects. */
  async look(): Promise<void> {
    clearTimeout(this.#timer);
    const found = new Set<string>();
    let pause = HOUR;
    try {
      await this.#inTime(found);
      this.#retry = FIRST_RETRY;
      this.#known = [...found];
    } catch (error) {
      pause = this.#retry;
      this.#retry = Math.min(HOUR, 2 * this.#retry);
      this.#known = [...new Set([...this.#known, ...found])].slice(0, MOST_ADDRESSES);
      const reason = error instanceof Error ? error.message : String(error);
      const again = `looked up again in ${pause / 1000} s`;
      this.#log(
        "warning",
        `MX peers of ${this.#domains.join(", ")}: ${reason}; the known ones count, ${again}`,
      );
    }
    this.#onPeers(this.#known);
    if (!this.#stopped) this.#timer = setTimeout(() => void this.look(), pause);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** @param found gets what is found, also when the round fails */
  async #inTime(found: Set<string>): Promise<void> {
    const late = Promise.withResolvers<never>();
    const reason = `no answer within ${this.#patience / 1000} s`;
    const timer = setTimeout(() => late.reject(new Error(reason)), this.#patience);
    try {
      await Promise.race([allOf(this.#domains.map((domain) => this.#ofDomain(domain, found))), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #ofDomain(domain: string, found: Set<string>): Promise<void> {
    const exchanges = await orNothing(this.#service.exchanges(domain));
    const names = [...new Set(exchanges)].filter((name) => name !== "").slice(0, MOST_EXCHANGES);
    await allOf(names.map((name) => this.#ofExchange(name, found)));
  }

  async #ofExchange(name: string, found: Set<string>): Promise<void> {
    const keep = (addresses: readonly string[]): void => {
      for (const address of addresses) {
        if (found.size < MOST_ADDRESSES && this.#service.isAddress(address)) found.add(address);
      }
    };
    if (this.#service.isAddress(name)) return keep([name]);
    await allOf([
      orNothing(this.#service.addresses4(name)).then(keep),
      orNothing(this.#service.addresses6(name)).then(keep),
    ]);
  }
}

/** Waits for all, also when one of them fails. @throws what the first that failed did */
async function allOf(jobs: readonly Promise<unknown>[]): Promise<void> {
  const ends = await Promise.allSettled(jobs);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

async function orNothing(answer: Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Error && "code" in error && NOTHING.has(error.code)) return [];
    throw error;
  }
}
