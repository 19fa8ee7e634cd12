/** Milliseconds for which the addresses of a name are taken as they were. */
const FRESH = 5000;
const MOST_KEPT = 1000;

/** The name service. */
export interface ServerNameService {
  /** The addresses that a name leads to. Rejects when there are none. */
  addresses(name: string): Promise<readonly string[]>;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
}

interface Kept {
  /** The look-up that is under way, for all who ask meanwhile. */
  pending: Promise<void> | null;
  addresses: readonly string[];
  until: number;
  /** The address that a connexion came about with last. */
  worked: string | null;
}

/**
 * The addresses of the servers' names. They may change, so they are looked up again and again; but nobody waits for
 * that, and the way to a scanner does not end with the name service: until it answers, what it said last is used.
 */
export class ServerNames {
  readonly #service: ServerNameService;
  readonly #kept = new Map<string, Kept>();

  constructor(service: ServerNameService) {
    this.#service = service;
  }

  /**
   * The addresses of a host, the one that worked last in front.
   * @param patience milliseconds
   * @throws Error when there are none, or the name service does not answer and never has
   */
  async addressesOf(host: string, patience: number): Promise<readonly string[]> {
    const kept = this.#entry(host);
    if (this.#service.now() >= kept.until) {
      kept.pending ??= this.#lookUp(host, kept);
      if (kept.addresses.length === 0) await inTime(kept.pending, patience);
      else kept.pending.catch(() => {});
    }
    const { addresses, worked } = kept;
    if (worked === null || !addresses.includes(worked)) return addresses;
    return [worked, ...addresses.filter((address) => address !== worked)];
  }

  /** A connexion to that address of the host has come about. */
  worked(host: string, address: string): void {
    this.#entry(host).worked = address;
  }

  #entry(host: string): Kept {
    const kept = this.#kept.get(host) ?? newEntry();
    this.#kept.set(host, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    return kept;
  }

  async #lookUp(host: string, kept: Kept): Promise<void> {
    try {
      const addresses = await this.#service.addresses(host);
      if (addresses.length === 0) throw new Error("the name has no address");
      kept.addresses = addresses;
      kept.until = this.#service.now() + FRESH;
    } finally {
      kept.pending = null;
    }
  }
}

function newEntry(): Kept {
  return { pending: null, addresses: [], until: Number.NEGATIVE_INFINITY, worked: null };
}

async function inTime(pending: Promise<void>, patience: number): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("the name server does not answer")), patience);
  try {
    await Promise.race([pending, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
