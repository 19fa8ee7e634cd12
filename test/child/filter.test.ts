import { describe, expect, test } from "bun:test";
import { ClamdError } from "../../src/clamd/clamd-error.ts";
import type { FilterReply } from "../../src/milter/mta-codec.ts";
import { offer, say, script } from "../milter/conversation.ts";
import { type AskedScan, type FilterLab, filterLab, type WorldChanges } from "./filter-lab.ts";

const FRONT = "Received: by clamav-milter\r\n";
const ACCEPT: FilterReply = { kind: "accept" };
const SCANNED = "ClamAV version 1.4.6/27000/Sun, clamav-milter version 9.9 on filter.example";
const MESSAGE = script("MRLNB");

function add(name: string, value: string): FilterReply {
  return { kind: "modification", change: { kind: "addHeader", name, value } };
}

function remove(index: number): FilterReply {
  return {
    kind: "modification",
    change: { kind: "changeHeader", index, name: "X-Virus-Status", value: "" },
  };
}

function refusal(name: string): FilterReply {
  return { kind: "replyCode", text: `554 5.7.1 virus ${name} detected by ClamAV - http://www.clamav.net` };
}

const MARKED = [add("X-Virus-Scanned", ` ${SCANNED}`), add("X-Virus-Status", " Clean"), ACCEPT];

/** A connexion on which a client from outside has been greeted. */
function greeted(changes: WorldChanges = {}): FilterLab {
  const lab = filterLab(changes);
  lab.tell(script("OCH"));
  return lab;
}

function lastScan(lab: FilterLab): AskedScan {
  const scan = lab.scans.at(-1);
  if (scan === undefined) throw new Error("nothing was scanned");
  return scan;
}

describe("a message from outside", () => {
  test("is scanned as the MTA holds it, marked and accepted", async () => {
    const lab = greeted();
    expect(lab.tell(MESSAGE, script("E"))).toEqual([]);
    expect(lastScan(lab).text).toBe(`${FRONT}Subject: hi\r\n\r\ntext\r\n`);
    expect(lastScan(lab).deadline).toBe(5000 + 270_000);
    await lastScan(lab).answer({ kind: "clean" });
    expect(lab.replies()).toEqual(MARKED);
    expect([lab.log, lab.spool.budget.taken]).toEqual([[], 0]);
  });

  test("with the sender's own status: all of them go, the highest first", async () => {
    const lab = greeted();
    const forged = say(
      ...["X-Virus-Status", "x-virus-status", "X-VIRUS-STATUS"].map((name) => ({
        kind: "header" as const,
        name,
        value: " Clean",
      })),
    );
    lab.tell(script("MRL"), forged, script("NBE"));
    await lastScan(lab).answer({ kind: "clean" });
    expect(lab.replies()).toEqual([remove(3), remove(2), remove(1), ...MARKED]);
  });

  test("with a virus is refused, unmarked, and logged in one line", async () => {
    const lab = greeted();
    lab.tell(say({ kind: "macro", stage: "mail", pairs: [["i", "Q17"]] }), MESSAGE, script("E"));
    lab.now += 34;
    await lastScan(lab).answer({ kind: "infected", name: "Eicar-Signature" });
    expect(lab.replies()).toEqual([refusal("Eicar-Signature")]);
    expect(lab.log).toEqual([
      'info: Q17: rejected virus="Eicar-Signature" from=<a@b> to=<c@d> client=mx.example[192.0.2.1] size=21 server=unix:/clamd ms=34',
    ]);
  });

  test.each([
    ["clamd: no memory", { kind: "failed", text: "no memory" } as const],
    ["no verdict in time", new ClamdError("CLAMD_TIMEOUT", "no verdict in time")],
    ["connection refused", new ClamdError("CLAMD_CONNECT", "connection refused")],
  ])("without a verdict has to wait: %s", async (reason, answer) => {
    const lab = greeted();
    lab.tell(MESSAGE, script("E"));
    if (answer instanceof Error) await lastScan(lab).fail(answer);
    else await lastScan(lab).answer(answer);
    expect(lab.replies()).toEqual([{ kind: "tempfail" }]);
    expect(lab.log).toHaveLength(1);
    expect(lab.log[0]).toStartWith(`warning: NOQUEUE: tempfailed reason="${reason}" `);
  });

  test("that is too long for the scanner is let through unscanned, and never called clean", async () => {
    const lab = greeted({ scanSizeLimit: 60 });
    lab.tell(MESSAGE);
    expect(lab.tell(script("BBE"))).toEqual([
      add("X-Virus-Status", " Not Scanned - StreamMaxLength exceeded"),
      ACCEPT,
    ]);
    expect([lab.scans.length, lab.spool.budget.taken]).toEqual([0, 0]);
    expect(lab.log[0]).toStartWith('info: NOQUEUE: not scanned reason="StreamMaxLength exceeded"');
  });

  test("is logged when clean only if that is wished", async () => {
    const lab = greeted({ logClean: true });
    lab.tell(MESSAGE, script("E"));
    await lastScan(lab).answer({ kind: "clean" });
    expect(lab.log.map((line) => line.slice(0, 20))).toEqual(["info: NOQUEUE: clean"]);
  });
});

describe("several messages on a connexion", () => {
  test("each has its own envelope, verdict and queue id", async () => {
    const lab = greeted();
    for (const number of [1, 2, 3]) {
      lab.tell(
        say({ kind: "macro", stage: "mail", pairs: [["i", `Q${number}`]] }),
        say({ kind: "mail", sender: `<s${number}>`, parameters: [] }),
        script("RLNBE"),
      );
      await lastScan(lab).answer({ kind: "infected", name: `V${number}` });
      expect(lab.replies()).toEqual([refusal(`V${number}`)]);
    }
    expect(lab.log.map((line) => /(Q\d).*from=(\S+)/.exec(line)?.slice(1))).toEqual([
      ["Q1", "<s1>"],
      ["Q2", "<s2>"],
      ["Q3", "<s3>"],
    ]);
  });

  test("an answer that comes after an abort is not given to the next message", async () => {
    const lab = greeted();
    lab.tell(MESSAGE, script("E"));
    const [first] = lab.scans;
    lab.tell(script("A"), MESSAGE, script("E"));
    expect([first?.cancelled, lab.scans.length]).toEqual([true, 2]);
    await first?.answer({ kind: "clean" });
    expect([lab.replies(), lab.session.state, lab.log]).toEqual([[], "verdictDue", []]);
    await lastScan(lab).answer({ kind: "infected", name: "V" });
    expect(lab.replies()).toEqual([refusal("V")]);
  });

  test.each([
    ["A", []],
    ["Q", [null]],
    ["K", []],
  ])("%s while it is scanned gives the scan up", async (letter, closed) => {
    const lab = greeted();
    lab.tell(MESSAGE, script("E"));
    expect(lab.tell(script(letter))).toEqual([]);
    expect([lastScan(lab).cancelled, lab.spool.budget.taken]).toEqual([true, 0]);
    await lastScan(lab).answer({ kind: "clean" });
    expect([lab.replies(), lab.closed, lab.log]).toEqual([[], closed, []]);
  });

  test("so does a lost socket", async () => {
    const lab = greeted();
    lab.tell(MESSAGE, script("E"));
    lab.session.lost();
    expect([lastScan(lab).cancelled, lab.spool.budget.taken]).toEqual([true, 0]);
    await lastScan(lab).answer({ kind: "clean" });
    expect(lab.replies()).toEqual([]);
  });

  test("an abort in the same breath as the end of the message is heard", async () => {
    const lab = greeted();
    lab.tell(MESSAGE, script("EA"));
    expect(lastScan(lab).cancelled).toBe(true);
    expect([lab.session.state, lab.spool.budget.taken]).toEqual(["greeted", 0]);
  });

  test("whatever became of them, nothing of them is kept", async () => {
    const lab = greeted();
    for (let round = 0; round < 50; round++) {
      lab.tell(script("MRLNBA"), script("MRLNBMRLNA"), MESSAGE, script("E"));
      await lastScan(lab).answer(round % 2 === 0 ? { kind: "clean" } : { kind: "infected", name: "V" });
    }
    lab.tell(script("MRLNB"));
    lab.session.lost();
    expect(lab.spool.budget.taken).toBe(0);
  });
});

describe("clients whose mail is not scanned", () => {
  test("are let through at connect, for all their messages, with a verbose line", () => {
    const lab = filterLab();
    lab.tell(script("O"));
    const connect = say({ kind: "connect", host: "pc", family: "inet", port: 1, address: "10.1.2.3" });
    expect(lab.tell(connect)).toEqual([ACCEPT]);
    expect(lab.tell(script("MRLNBE"))).toEqual([ACCEPT]);
    expect([lab.scans, lab.spool.budget.taken]).toEqual([[], 0]);
    expect(lab.log).toEqual([
      "verbose: not scanned: client=pc[10.1.2.3]: from the LAN, and --local is not given",
    ]);
  });

  test("do not spoil the next client on the same socket", async () => {
    const lab = filterLab();
    lab.tell(script("O"), say({ kind: "connect", host: "l", family: "unknown", port: 0, address: "" }));
    lab.tell(script("MRK"), script("CH"), MESSAGE, script("E"));
    await lastScan(lab).answer({ kind: "infected", name: "V" });
    expect(lab.replies()).toEqual([refusal("V")]);
  });
});

describe("MTAs that offer less", () => {
  test("without the leading blank the MTA's own is used, and the scanner sees it", async () => {
    const lab = filterLab();
    lab.tell(offer(0x7f), script("C"));
    const header = say({ kind: "header", name: "Subject", value: "hi" });
    lab.tell(script("MR"), header, script("NBE"));
    expect(lastScan(lab).text).toBe(`${FRONT}Subject: hi\r\n\r\ntext\r\n`);
    await lastScan(lab).answer({ kind: "clean" });
    expect(lab.replies()).toEqual([add("X-Virus-Scanned", SCANNED), add("X-Virus-Status", "Clean"), ACCEPT]);
  });

  test("without an action that is needed it is told, and not used", async () => {
    const lab = filterLab();
    lab.tell(offer(0x1fffff, 0x01), script("C"), script("MR"));
    lab.tell(say({ kind: "header", name: "X-Virus-Status", value: " Clean" }), script("NBE"));
    expect(lab.lacking).toEqual([0x10]);
    await lastScan(lab).answer({ kind: "clean" });
    expect(lab.replies()).toEqual(MARKED);
  });

  test("a forged status that cannot be removed keeps an unscanned message out", () => {
    const lab = filterLab({ scanSizeLimit: 50 });
    lab.tell(offer(0x1fffff, 0x01), script("CMR"));
    lab.tell(say({ kind: "header", name: "X-Virus-Status", value: " Clean" }));
    expect(lab.tell(script("NBBE"))).toEqual([{ kind: "tempfail" }]);
  });
});

describe("who scanned", () => {
  test.each([
    ["mx1.example", null, "mx1.example"],
    ["mx1", null, "mx1.by-macro.example"],
    ["mx1", "scanner.example", "scanner.example"],
  ])("host name %s, server %p: on %s", async (hostName, server, shown) => {
    const lab = filterLab({ hostName, scanHost: () => server });
    lab.tell(script("O"), say({ kind: "macro", stage: "connect", pairs: [["j", "mx1.by-macro.example"]] }));
    lab.tell(script("C"), MESSAGE, script("E"));
    await lastScan(lab).answer({ kind: "clean" });
    const [scanned] = lab.replies();
    expect(JSON.stringify(scanned)).toContain(`on ${shown}"`);
  });
});
