import { describe, expect, test } from "bun:test";
import { wantedOf } from "../../src/child/wanted.ts";
import { Step } from "../../src/milter/codes.ts";
import { settled } from "../clamd/fake-clamd.ts";
import { say, script } from "../milter/conversation.ts";
import { RULES } from "../response/fixtures.ts";
import { type FilterLab, filterLab, type WorldChanges } from "./filter-lab.ts";

const MESSAGE = script("MRLNB");
const OVERLOADED = {
  kind: "replyCode",
  text: "451 4.3.2 AV system temporarily overloaded - please try later",
} as const;

function greeted(changes: WorldChanges): FilterLab {
  const lab = filterLab(changes);
  lab.tell(script("OCH"));
  return lab;
}

/** The supervisor's word, and what follows from it. */
async function hear(lab: FilterLab, word: { grant?: number; heard?: number; full?: boolean }): Promise<void> {
  lab.slots.hear({ type: "slots", heard: 0, grant: 0, keep: null, rest: null, full: false, ...word });
  await settled();
}

describe("a message", () => {
  test("holds a slot from its end to its verdict, and nothing before", async () => {
    const lab = greeted({ granted: 1 });
    lab.tell(MESSAGE);
    expect(lab.slots.busy).toBe(0);
    lab.tell(script("E"));
    expect(lab.slots.busy).toBe(1);
    await lab.scans[0]?.answer({ kind: "infected", name: "V" });
    expect([lab.slots.busy, lab.slots.idle]).toEqual([0, 1]);
  });

  test("without a slot waits for one, and has the rest of its time for the scan", async () => {
    const lab = greeted({ granted: 0 });
    lab.tell(MESSAGE, script("E"));
    lab.now += 100_000;
    expect([lab.scans.length, lab.session.state]).toEqual([0, "verdictDue"]);
    await hear(lab, { grant: 1 });
    expect(lab.scans[0]?.deadline).toBe(5000 + 270_000);
    await lab.scans[0]?.answer({ kind: "infected", name: "V" });
    expect(lab.replies()).toHaveLength(1);
  });

  test("that has waited for --timeout is scanned over the limit, and the log says so", async () => {
    const lab = greeted({ granted: 0, slotTimeout: 20_000 });
    lab.tell(say({ kind: "macro", stage: "mail", pairs: [["i", "Q1"]] }), MESSAGE, script("E"));
    lab.now += 20_000;
    lab.slots.tick();
    await settled();
    expect([lab.scans.length, lab.slots.busy]).toEqual([1, 0]);
    expect(lab.log).toEqual(["verbose: Q1: scanned over --max-children: has waited 20 s for a place"]);
  });

  test.each(["A", "Q", "K"])("that is given up by %s while it waits is never scanned", async (letter) => {
    const lab = greeted({ granted: 0 });
    lab.tell(MESSAGE, script("E"), script(letter));
    expect([lab.slots.waiting, lab.spool.budget.taken]).toEqual([0, 0]);
    await hear(lab, { grant: 1 });
    expect([lab.scans.length, lab.slots.idle]).toEqual([0, 1]);
  });

  test("whose connexion is lost in scanning gives its slot back", () => {
    const lab = greeted({ granted: 1 });
    lab.tell(MESSAGE, script("E"));
    lab.session.lost();
    expect([lab.slots.busy, lab.slots.idle]).toEqual([0, 1]);
  });

  test("that needs no scan needs no slot", () => {
    const lab = greeted({ granted: 0, scanSizeLimit: 60 });
    lab.tell(MESSAGE);
    expect(lab.tell(script("BBE"))).not.toEqual([]);
    expect(lab.slots.waiting).toBe(0);
  });
});

describe("--dont-wait", () => {
  test("MAIL is answered, which it is not otherwise", () => {
    const needs = { helo: false, answerMail: false, answerRcpt: false, answerEndOfHeaders: false };
    expect(wantedOf(RULES, { ...needs, answerMail: true }).steps & Step.noReplyMail).toBe(0);
    expect(wantedOf(RULES, needs).steps & Step.noReplyMail).toBe(Step.noReplyMail);
  });

  test("none is free: 451 at MAIL, one line in the log, and the next message has another chance", async () => {
    const lab = greeted({ granted: 0, dontWait: true });
    await hear(lab, { full: true });
    expect(lab.tell(say({ kind: "macro", stage: "mail", pairs: [["i", "Q1"]] }), script("M"))).toEqual([
      OVERLOADED,
    ]);
    expect(lab.log).toEqual([
      'warning: Q1: tempfailed reason="no free place (--max-children, --dont-wait)" from=<a@b> to= client=mx.example[192.0.2.1] size=0 ms=0',
    ]);
    expect(lab.spool.budget.taken).toBe(0);
    await hear(lab, { grant: 1 });
    lab.tell(script("A"));
    expect(lab.tell(MESSAGE, script("E")).filter(({ kind }) => kind === "replyCode")).toEqual([]);
    expect(lab.scans).toHaveLength(1);
  });

  test("-d does not let it through: it is no error", async () => {
    const lab = greeted({ granted: 0, dontWait: true, acceptOnError: true });
    lab.tell(MESSAGE, script("E"));
    await hear(lab, { heard: 1, full: true });
    expect(lab.replies()).toEqual([OVERLOADED]);
    expect([lab.scans.length, lab.spool.budget.taken, lab.log.length]).toEqual([0, 0, 1]);
  });

  test("mail of this machine is refused at its end only", async () => {
    const lab = filterLab({ granted: 0, dontWait: true, scanOutgoing: true });
    await hear(lab, { full: true });
    lab.tell(script("O"), say({ kind: "connect", host: "l", family: "inet", port: 1, address: "127.0.0.1" }));
    expect(lab.tell(script("M")).map(({ kind }) => kind)).toEqual(["continue"]);
    lab.tell(script("RLNBE"));
    await hear(lab, { heard: 1, full: true });
    expect(lab.replies()).toEqual([OVERLOADED]);
  });
});
