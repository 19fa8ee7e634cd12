import { describe, expect, test } from "bun:test";
import type { MtaCommand } from "../../src/milter/commands.ts";
import { encodeModification, encodeVerdict, PROGRESS, SKIP, type Verdict } from "../../src/milter/replies.ts";
import { MilterSession } from "../../src/milter/session.ts";
import { type SessionTrace, traceCommand, traceReplies } from "../../src/milter/trace.ts";
import { say, script } from "./conversation.ts";
import { joined } from "./wire-bytes.ts";

const SECRET = "not for the log";

const COMMANDS: readonly (readonly [MtaCommand, string])[] = [
  [
    { kind: "negotiate", version: 6, actions: 0x1ff, steps: 0x1f },
    "negotiate: version 6, actions 0x1ff, steps 0x1f",
  ],
  [
    { kind: "connect", host: "mx.example", family: "inet", port: 25, address: "192.0.2.1" },
    "connect: mx.example[192.0.2.1] port 25, inet",
  ],
  [{ kind: "helo", name: "h.example" }, "helo: h.example"],
  [
    {
      kind: "macro",
      stage: "mail",
      pairs: [
        ["i", "Q1"],
        ["{x}", ""],
      ],
    },
    "macros of mail: i=Q1, {x}=",
  ],
  [{ kind: "macro", stage: null, pairs: [] }, "macros of an unknown stage: "],
  [{ kind: "mail", sender: "<a@b>", parameters: ["SIZE=5"] }, "mail: <a@b> SIZE=5"],
  [{ kind: "rcpt", recipient: "<c@d>", parameters: [] }, "rcpt: <c@d>"],
  [{ kind: "data" }, "data"],
  [{ kind: "endOfHeaders" }, "end of headers"],
  [{ kind: "body", bytes: Buffer.from(SECRET) }, "body: 15 bytes"],
  [{ kind: "endOfBody", bytes: Buffer.from(SECRET) }, "end of message: 15 bytes"],
  [{ kind: "unknown", command: "XYZZY" }, "unknown command: XYZZY"],
  [{ kind: "abort" }, "abort"],
  [{ kind: "quit" }, "quit"],
  [{ kind: "quitNewConnexion" }, "quit, and another connexion"],
];

describe("what the MTA says", () => {
  test.each(COMMANDS)("%j", (command, text) => {
    expect([traceCommand(command, 4), traceCommand(command, 9)]).toEqual([text, text]);
  });

  test("header lines are shown on level 9, else their length", () => {
    const header: MtaCommand = { kind: "header", name: "Subject", value: " hi" };
    expect(traceCommand(header, 9)).toBe("header: Subject: hi");
    expect(traceCommand(header, 8)).toBe("header: 10 bytes");
  });

  test("long texts are cut", () => {
    const text = traceCommand({ kind: "helo", name: "x".repeat(1024 * 1024) }, 9);
    expect(text).toBe(`helo: ${"x".repeat(500)}...`);
  });
});

describe("what we say", () => {
  const replies = (level: number, ...frames: readonly Uint8Array[]): string[] =>
    traceReplies(joined(...frames), level);

  test("verdicts, one by one", () => {
    const reply: Verdict = { kind: "reply", code: 554, enhanced: "5.7.1", lines: ["virus x"] };
    const verdicts: Verdict[] = [{ kind: "continue" }, { kind: "tempfail" }, reply];
    expect(replies(4, ...verdicts.map(encodeVerdict), PROGRESS, SKIP)).toEqual([
      "continue",
      "tempfail",
      "reply: 554 5.7.1 virus x",
      "progress",
      "skip",
    ]);
  });

  test("changes: values of headers on level 9, bodies never", () => {
    const frames = [
      ...encodeModification({ kind: "addHeader", name: "X-Virus-Status", value: "Clean" }),
      ...encodeModification({ kind: "changeHeader", index: 2, name: "X-Virus-Status", value: "" }),
      ...encodeModification({ kind: "insertHeader", index: 1, name: "A", value: "b" }),
      ...encodeModification({ kind: "changeHeader", index: 1, name: "A", value: "b" }),
      ...encodeModification({ kind: "addRecipient", recipient: "<a@b>" }),
      ...encodeModification({ kind: "deleteRecipient", recipient: "<a@b>" }),
      ...encodeModification({ kind: "changeSender", sender: "<>" }),
      ...encodeModification({ kind: "quarantine", reason: "why" }),
      ...encodeModification({ kind: "replaceBody", bytes: Buffer.from(SECRET) }),
    ];
    const rest = [
      "add recipient: <a@b>",
      "delete recipient: <a@b>",
      "change sender: <>",
      "quarantine: why",
      "replace body: 15 bytes",
    ];
    expect(replies(9, ...frames)).toEqual([
      "add header: X-Virus-Status:Clean",
      "delete header 2: X-Virus-Status:",
      "insert header at 1: A:b",
      "change header 1: A:b",
      ...rest,
    ]);
    expect(replies(4, ...frames)).toEqual([
      "add header: 19 bytes",
      "delete header 2: 14 bytes",
      "insert header at 1: 2 bytes",
      "change header 1: 2 bytes",
      ...rest,
    ]);
  });
});

/** A session that is looked on at. */
function watched(): { session: MilterSession; seen: string[] } {
  const seen: string[] = [];
  const trace: SessionTrace = {
    heard: (command) => void seen.push(`< ${traceCommand(command, 9)}`),
    said: (frames) => void seen.push(...traceReplies(frames, 9).map((text) => `> ${text}`)),
    closed: () => void seen.push("closed"),
  };
  const go = (): Verdict => ({ kind: "continue" });
  const session = new MilterSession(
    { actions: 0, steps: 0, macros: { connect: ["j"] } },
    { send: () => {}, close: () => {} },
    (self) => ({
      negotiated: () => {},
      connect: go,
      helo: () => {},
      mail: go,
      rcpt: go,
      header: () => {},
      endOfHeaders: go,
      body: () => "continue",
      endOfMessage: () => self.progress(),
      abort: () => {},
      end: () => {},
    }),
    trace,
  );
  return { session, seen };
}

describe("the trace of a session", () => {
  test("tells both sides of the talk in order, and its end once", () => {
    const { session, seen } = watched();
    for (const letter of "OCHMRLNBE") session.receive(script(letter));
    session.finish([], { kind: "accept" });
    session.receive(script("Q"));
    session.lost();
    expect(seen).toEqual([
      "< negotiate: version 6, actions 0x1ff, steps 0x1fffff",
      "> agreed: version 6, actions 0x100, steps 0x0; macros of connect: j",
      "< connect: mx.example[192.0.2.1] port 25, inet",
      "> continue",
      "< helo: helo.example",
      "> continue",
      "< mail: <a@b>",
      "> continue",
      "< rcpt: <c@d>",
      "> continue",
      "< header: Subject: hi",
      "> continue",
      "< end of headers",
      "> continue",
      "< body: 6 bytes",
      "> continue",
      "< end of message: 0 bytes",
      "> progress",
      "> accept",
      "< quit",
      "closed",
    ]);
  });

  test("shows a command also when it is illegal", () => {
    const { session, seen } = watched();
    session.receive(say({ kind: "mail", sender: "<a@b>", parameters: [] }));
    expect(seen).toEqual(["< mail: <a@b>", "closed"]);
  });
});
