import { describe, expect, test } from "bun:test";
import { ownNames } from "../../src/policy/own-names.ts";
import { isPublicSuffix } from "../../src/policy/public-suffix.ts";
import { offer, say, script } from "../milter/conversation.ts";
import { type FilterLab, filterLab, type WorldChanges } from "./filter-lab.ts";

const OURS = { ownNames: (mta: string) => ownNames([mta], isPublicSuffix) };
const REFUSED = "Suspicious recipient address blocked";

/** A connexion of a client at that address. */
function from(address: string, changes: WorldChanges = {}): FilterLab {
  const lab = filterLab(changes);
  lab.tell(
    script("O"),
    say({ kind: "macro", stage: "connect", pairs: [["j", "mail.example.org"]] }),
    say({ kind: "connect", host: "mx.example", family: "inet", port: 25, address }),
    script("H"),
  );
  return lab;
}

const rcpt = (recipient: string): Uint8Array => say({ kind: "rcpt", recipient, parameters: [] });

describe("a refusal", () => {
  test("of a recipient leaves the message to the others; the scan is of them", async () => {
    const offences: string[] = [];
    const lab = from("192.0.2.1", {
      sanitise: true,
      blacklists: true,
      blacklist: (address, because) => void offences.push(`${address}: ${because}`),
    });
    expect(lab.tell(script("M"), rcpt("<a;b@c>"), rcpt("<d@e>"))).toEqual([
      { kind: "continue" },
      { kind: "replyCode", text: `554 5.7.1 ${REFUSED}` },
      { kind: "continue" },
    ]);
    lab.tell(script("LNBE"));
    await lab.scans[0]?.answer({ kind: "infected", name: "V" });
    expect(offences).toEqual(["192.0.2.1: cracking attempt", "192.0.2.1: V"]);
    expect(lab.log.at(-1)).toContain(" to=<d@e> ");
  });

  test("for mail of this machine waits for the end; no scan, no offence, one line", () => {
    const offences: string[] = [];
    const lab = from("127.0.0.1", {
      sanitise: true,
      scanOutgoing: true,
      blacklist: (address) => void offences.push(address),
    });
    expect(lab.tell(script("M"), rcpt("<a;b@c>"), rcpt("<d@e>"), script("LNB"))).toEqual([
      { kind: "continue" },
      { kind: "continue" },
    ]);
    expect(lab.tell(script("E"))).toEqual([{ kind: "replyCode", text: `554 5.7.1 ${REFUSED}` }]);
    expect([lab.scans.length, offences.length, lab.log.length, lab.spool.budget.taken]).toEqual([0, 0, 1, 0]);
    // The next message is another.
    lab.tell(script("MRLNBE"));
    expect(lab.scans).toHaveLength(1);
  });

  test("nobody of the LAN or of this machine is reported", async () => {
    for (const address of ["10.0.0.1", "127.0.0.1", "::1"]) {
      const offences: string[] = [];
      const lab = from(address, { forceScan: true, blacklist: (each) => void offences.push(each) });
      lab.tell(script("MRLNBE"));
      await lab.scans[0]?.answer({ kind: "infected", name: "V" });
      expect(offences).toEqual([]);
    }
  });
});

describe("forged From:", () => {
  const headers = (...pairs: readonly (readonly [string, string])[]): Uint8Array =>
    say(...pairs.map(([name, value]) => ({ kind: "header" as const, name, value: ` ${value}` })));

  test("is looked for in every From:, and let through by a Sender: of another domain only", () => {
    const cases: [readonly (readonly [string, string])[], boolean][] = [
      [[["From", "a@example.org"]], true],
      [[["from", '"x" <a@EXAMPLE.ORG>']], true],
      [
        [
          ["From", "a@other.example"],
          ["From", "b@example.org"],
        ],
        true,
      ],
      [
        [
          ["From", "a@example.org"],
          ["Sender", "list@other.example"],
        ],
        false,
      ],
      [
        [
          ["From", "a@example.org"],
          ["Sender", "c@example.org"],
        ],
        true,
      ],
      [
        [
          ["From", "a@example.org"],
          ["Sender", "rubbish"],
        ],
        true,
      ],
      [[["From", "a@sub.example.org"]], false],
      [[["Reply-To", "a@example.org"]], false],
    ];
    for (const [pairs, forged] of cases) {
      const lab = from("192.0.2.1", OURS);
      const said = lab.tell(script("MR"), headers(...pairs), script("N")).at(-1);
      const text = "554 5.7.1 You have claimed to be from me, but you are not";
      expect([pairs, said]).toEqual([pairs, forged ? { kind: "replyCode", text } : { kind: "continue" }]);
    }
  });

  test("what was decided at the end of the headers holds nothing in memory", () => {
    const lab = from("192.0.2.1", OURS);
    lab.tell(script("MR"), headers(["From", "a@example.org"]), script("N"));
    expect(lab.spool.budget.taken).toBe(0);
  });
});

describe("black holes", () => {
  function asking(): FilterLab & { answer(discards: boolean): Promise<void>; asked: (readonly string[])[] } {
    const asked: (readonly string[])[] = [];
    const answers: ((discards: boolean) => void)[] = [];
    const leadToNull = (recipients: readonly string[]): Promise<boolean> => {
      asked.push(recipients);
      return new Promise((resolve) => answers.push(resolve));
    };
    const lab = from("192.0.2.1", { blackHole: true, leadToNull });
    const answer = async (discards: boolean): Promise<void> => {
      answers.shift()?.(discards);
      await Bun.sleep(0);
    };
    return Object.assign(lab, { answer, asked });
  }

  test("the message is thrown away unscanned when all recipients lead there", async () => {
    const lab = asking();
    lab.tell(script("M"), rcpt("<hole@c>"), script("LNBE"));
    expect([lab.asked, lab.scans.length]).toEqual([[["<hole@c>"]], 0] as never);
    await lab.answer(true);
    expect(lab.replies()).toEqual([{ kind: "discard" }]);
    expect(lab.log).toEqual([
      'info: NOQUEUE: Discarded, since all recipients (e.g. "hole@c") are /dev/null from=<a@b> client=mx.example[192.0.2.1]',
    ]);
  });

  test("it is scanned otherwise, and an answer that comes early is as good", async () => {
    const lab = asking();
    lab.tell(script("MRLN"));
    await lab.answer(false);
    lab.tell(script("BE"));
    await Bun.sleep(0);
    expect(lab.scans).toHaveLength(1);
  });

  test("an answer for an aborted message is not taken for the next one's", async () => {
    const lab = asking();
    lab.tell(script("M"), rcpt("<hole@c>"), script("LNBE"), script("A"));
    lab.tell(script("M"), rcpt("<bob@c>"), script("LNBE"));
    await lab.answer(true);
    expect([lab.replies(), lab.scans.length]).toEqual([[], 0] as never);
    await lab.answer(false);
    expect(lab.scans).toHaveLength(1);
  });

  test("of very many recipients nothing is asked", async () => {
    const lab = asking();
    lab.tell(script("M"), ...Array.from({ length: 101 }, (_, at) => rcpt(`<hole${at}@c>`)), script("LNBE"));
    await Bun.sleep(0);
    expect([lab.asked.length, lab.scans.length]).toEqual([0, 1]);
  });
});

test("an offer without any step is answered at every stage", () => {
  const lab = filterLab({ sanitise: true });
  lab.tell(offer(0));
  expect(lab.tell(script("CHMRLN")).map(({ kind }) => kind)).toEqual(Array(6).fill("continue") as never);
});
