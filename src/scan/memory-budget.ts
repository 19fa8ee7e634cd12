/** Bytes that all spools of a process may hold in memory together; what does not fit goes to a file. */
export class MemoryBudget {
  /** Bytes that may be held. */
  readonly total: number;
  #taken = 0;

  constructor(total: number) {
    this.total = total;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Whether `bytes` more may be held; counts them if so. */
  take(bytes: number): boolean {
    if (this.#taken + bytes > this.total) return false;
    this.#taken += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#taken -= bytes;
  }
}
