import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AcceptRoster, type AcceptWords } from "../../src/supervisor/accept-roster.ts";

/** A roster, and what its children do by what they were told. */
class Lab {
  readonly roster = new AcceptRoster<string>();
  readonly accepts = new Map<string, boolean>();
  readonly crowded = new Set<string>();

  join(child: string): void {
    this.accepts.set(child, true);
    this.#tell(this.roster.join(child));
  }

  leave(child: string): void {
    this.accepts.delete(child);
    this.crowded.delete(child);
    this.#tell(this.roster.leave(child));
  }

  report(child: string, crowded: boolean): void {
    // One that rests is crowded when it accepts on its own account.
    if (crowded) this.accepts.set(child, true);
    if (crowded) this.crowded.add(child);
    else this.crowded.delete(child);
    this.#tell(this.roster.report(child, crowded));
  }

  get accepting(): string[] {
    return [...this.accepts].filter(([, on]) => on).map(([child]) => child);
  }

  #tell(words: AcceptWords<string>): void {
    for (const [child, on] of words) {
      // Words cost a process its sleep.
      expect(this.accepts.get(child)).toBe(!on);
      this.accepts.set(child, on);
    }
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

  test("whatever happens, somebody accepts, and all do while any is crowded", () => {
    const child = fc.constantFrom("a", "b", "c", "d");
    const step = fc.tuple(fc.constantFrom("join", "leave", "crowded", "calm"), child);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const lab = new Lab();
        for (const [what, name] of steps) {
          const there = lab.accepts.has(name);
          if (what === "join" && !there) lab.join(name);
          else if (what === "leave" && there) lab.leave(name);
          else if (there && what !== "join") lab.report(name, what === "crowded");
          const expected = lab.crowded.size > 0 ? lab.accepts.size : Math.min(1, lab.accepts.size);
          expect(lab.accepting.length).toBe(expected);
        }
      }),
    );
  });
});
