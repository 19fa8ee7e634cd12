/** Children, and whether each is to accept connexions now. */
export type AcceptWords<Child> = readonly (readonly [child: Child, accepts: boolean])[];

interface Entry {
  accepts: boolean;
  crowded: boolean;
}

/**
 * Who accepts connexions: one child while there are few, all of them as soon as any is crowded. A new connexion wakes
 * every process that listens, and all but one of them for nothing: that cost a third of the processor time of a short
 * connexion (the runtime cannot ask the kernel to wake one only).
 */
export class AcceptRoster<Child> {
  /** In the order in which they came. */
  readonly #children = new Map<Child, Entry>();

  /** A child that accepts, as every child does that was not told otherwise. */
  join(child: Child): AcceptWords<Child> {
    this.#children.set(child, { accepts: true, crowded: false });
    return this.#settle();
  }

  /** It is gone: if it was the one that accepted, the next one does. */
  leave(child: Child): AcceptWords<Child> {
    return this.#children.delete(child) ? this.#settle() : [];
  }

  /** A child has so many connexions that others are to share them, or no longer. */
  report(child: Child, crowded: boolean): AcceptWords<Child> {
    const entry = this.#children.get(child);
    if (entry === undefined) return [];
    entry.crowded = crowded;
    // Crowded it may also be because it accepts on its own account: it is told anew what it is to do.
    if (crowded) entry.accepts = true;
    return this.#settle();
  }

  /** What has changed for whom. */
  #settle(): AcceptWords<Child> {
    const entries = [...this.#children];
    const allAccept = entries.some(([, { crowded }]) => crowded);
    const words: [Child, boolean][] = [];
    for (const [at, [child, entry]] of entries.entries()) {
      const accepts = allAccept || at === 0;
      if (accepts !== entry.accepts) words.push([child, accepts]);
      entry.accepts = accepts;
    }
    return words;
  }
}
