import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AcceptRoster, type AcceptWords } from "../../src/supervisor/accept-roster.ts";

/** A child of the lab, and the words that are on their way between it and the roster. */
interface LabChild {
  accepts: boolean;
  crowded: boolean;
  readonly toChild: boolean[];
  readonly toRoster: boolean[];
}

/** A roster, and children that do what they were told when they hear of it. */
class Lab {
  readonly roster = new AcceptRoster<string>();
  readonly children = new Map<string, LabChild>();

  join(name: string): void {
    this.children.set(name, { accepts: true, crowded: false, toChild: [], toRoster: [] });
    this.#post(this.roster.join(name));
  }

  leave(name: string): void {
    this.children.delete(name);
    this.#post(this.roster.leave(name));
  }

  /** It is crowded, or no longer. One that rests is crowded when it accepts on its own account. */
  report(name: string, crowded: boolean): void {
    const child = this.children.get(name);
    if (child === undefined || child.crowded === crowded) return;
    child.crowded = crowded;
    if (crowded) child.accepts = true;
    child.toRoster.push(crowded);
  }

  /** One word of a child's arrives, or one for it. */
  carry(name: string, toChild: boolean): boolean {
    const child = this.children.get(name);
    const word = toChild ? child?.toChild.shift() : child?.toRoster.shift();
    if (child === undefined || word === undefined) return false;
    if (toChild) child.accepts = word;
    else this.#post(this.roster.report(name, word));
    return true;
  }

  /** All words arrive. */
  settle(): void {
    for (const name of this.children.keys()) while (this.carry(name, false));
    for (const name of this.children.keys()) while (this.carry(name, true));
  }

  /** Who accepts when all words have arrived. */
  get accepting(): string[] {
    this.settle();
    return [...this.children].filter(([, { accepts }]) => accepts).map(([name]) => name);
  }

  #post(words: AcceptWords<string>): void {
    for (const [name, on] of words) this.children.get(name)?.toChild.push(on);
  }
}

describe("who accepts connexions", () => {
  test("the first child alone, while there are few", () => {
    const lab = new Lab();
    for (const child of ["a", "b", "c"]) lab.join(child);
    expect(lab.accepting).toEqual(["a"]);
  });

  test("all, as soon as one is crowded, until none is", () => {
    const lab = new Lab();
    for (const child of ["a", "b", "c"]) lab.join(child);
    lab.report("a", true);
    expect(lab.accepting).toEqual(["a", "b", "c"]);
    lab.report("b", true);
    lab.report("a", false);
    expect(lab.accepting).toEqual(["a", "b", "c"]);
    lab.report("b", false);
    expect(lab.accepting).toEqual(["a"]);
  });

  test("the next one, when the one that accepts is gone", () => {
    const lab = new Lab();
    for (const child of ["a", "b"]) lab.join(child);
    lab.leave("a");
    expect(lab.accepting).toEqual(["b"]);
    lab.join("c");
    expect(lab.accepting).toEqual(["b"]);
  });

  test("a crowd that is gone with its child is none", () => {
    const lab = new Lab();
    for (const child of ["a", "b", "c"]) lab.join(child);
    lab.report("a", true);
    lab.leave("a");
    expect(lab.accepting).toEqual(["b"]);
  });

  test("one that accepts on its own account, since the first hangs, is told when it need not any more", () => {
    const lab = new Lab();
    for (const child of ["a", "b"]) lab.join(child);
    lab.report("b", true);
    expect(lab.accepting).toEqual(["a", "b"]);
    lab.report("b", false);
    expect(lab.accepting).toEqual(["a"]);
  });

  test("who is not there has nothing to say", () => {
    const roster = new AcceptRoster<string>();
    expect(roster.report("a", true)).toEqual([]);
    expect(roster.leave("a")).toEqual([]);
  });

  test("a word that crosses another does no harm", () => {
    const lab = new Lab();
    for (const child of ["a", "b"]) lab.join(child);
    lab.report("a", true);
    lab.settle();
    lab.report("a", false);
    lab.carry("a", false);
    // Now b is to rest, and does not know it.
    lab.report("b", true);
    expect(lab.accepting).toEqual(["a", "b"]);
    lab.leave("a");
    expect(lab.accepting).toEqual(["b"]);
  });

  test("few words: none for what is known", () => {
    const roster = new AcceptRoster<string>();
    expect([roster.join("a"), roster.join("b"), roster.join("b")]).toEqual([[], [["b", false]], []]);
    expect(roster.report("a", false)).toEqual([]);
  });

  test("whatever happens, somebody accepts, and all do while any is crowded", () => {
    const child = fc.constantFrom("a", "b", "c", "d");
    const what = fc.constantFrom("join", "leave", "crowded", "calm", "to", "from", "look");
    fc.assert(
      fc.property(fc.array(fc.tuple(what, child), { maxLength: 80 }), (steps) => {
        const lab = new Lab();
        for (const [what, name] of steps) {
          const there = lab.children.has(name);
          if (what === "join" && !there) lab.join(name);
          else if (what === "leave" && there) lab.leave(name);
          else if (what === "crowded" || what === "calm") lab.report(name, what === "crowded");
          else if (what === "to" || what === "from") lab.carry(name, what === "to");
          if (what !== "look") continue;
          const { length } = lab.accepting;
          const crowded = [...lab.children.values()].some((each) => each.crowded);
          expect(length).toBe(crowded ? lab.children.size : Math.min(1, lab.children.size));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
