/** Children, and whether each is to accept connexions now. */
export type AcceptWords<Child> = readonly (readonly [child: Child, accepts: boolean])[];

interface Entry {
  /** What it was told last; null: it does whatever it does, and is to be told. */
  told: boolean | null;
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

  /** A child that accepts, as every child does that was not told otherwise. To say it again does no harm. */
  join(child: Child): AcceptWords<Child> {
    if (!this.#children.has(child)) this.#children.set(child, { told: true, crowded: false });
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
    // It may have begun to accept on its own account, and a word that it is to rest may be on its way.
    if (crowded) entry.told = null;
    return this.#settle();
  }

  /** What is to be told to whom. */
  #settle(): AcceptWords<Child> {
    const entries = [...this.#children];
    const allAccept = entries.some(([, { crowded }]) => crowded);
    const words: [Child, boolean][] = [];
    for (const [at, [child, entry]] of entries.entries()) {
      const accepts = allAccept || at === 0;
      if (accepts !== entry.told) words.push([child, accepts]);
      entry.told = accepts;
    }
    return words;
  }
}
