import { describe, expect, test } from "bun:test";
import type { Verdict } from "../../src/milter/replies.ts";
import { type Answers, converse, say, script } from "./conversation.ts";

const EARLY: readonly (readonly [Verdict, string])[] = [
  [{ kind: "accept" }, "accept"],
  [{ kind: "reject" }, "reject"],
  [{ kind: "tempfail" }, "tempfail"],
  [{ kind: "discard" }, "discard"],
  [{ kind: "reply", code: 550, enhanced: "5.7.1", lines: ["no"] }, '"550 5.7.1 no"'],
];
const CONTINUE: Verdict = { kind: "continue" };
const late: Answers = { endOfMessage: (session) => session.finish([], { kind: "accept" }) };

/** The verdict the first time, then on with it. */
function once(verdict: Verdict): () => Verdict {
  let used = false;
  return () => {
    if (used) return CONTINUE;
    used = true;
    return verdict;
  };
}

describe.each(EARLY)("an early %j", (verdict, word) => {
  test("at connect holds for the connexion", () => {
    const talk = converse({}, { ...late, connect: once(verdict) });
    expect(talk.tell(script("OC"))).toBe(`negotiate ${word}`);
    expect(talk.tell(script("HUMRTLNBE"))).toBe(Array(9).fill(word).join(" "));
    expect(talk.tell(script("MRE"))).toBe(Array(3).fill(word).join(" "));
    expect(talk.calls).toEqual(["negotiated 6 11 0 0", "connect mx.example inet 192.0.2.1"]);
  });

  test("at connect ends with the connexion", () => {
    const talk = converse({}, { ...late, connect: once(verdict) });
    talk.tell(script("OCMRK"));
    expect(talk.tell(script("CHMRE"))).toBe("continue continue continue continue accept");
  });

  test("at connect is not forgotten by an abort", () => {
    const talk = converse({}, { ...late, connect: once(verdict) });
    talk.tell(script("OCMRA"));
    expect(talk.tell(script("MRE"))).toBe([word, word, word].join(" "));
  });

  test("at MAIL holds for the message", () => {
    const talk = converse({}, { ...late, mail: once(verdict) });
    expect(talk.tell(script("OCHMRTLNBE"))).toBe(
      `negotiate continue continue ${Array(7).fill(word).join(" ")}`,
    );
    expect(talk.calls.slice(3)).toEqual(["mail <a@b>"]);
    expect(talk.tell(script("MRNE"))).toBe("continue continue continue accept");
  });

  test.each(["A", ""])("at MAIL ends with the message when it is given up by '%s' and MAIL", (end) => {
    const talk = converse({}, { ...late, mail: once(verdict) });
    talk.tell(script(`OCHMR${end}`));
    expect(talk.tell(script("MRNE"))).toBe("continue continue continue accept");
  });

  test("at MAIL ends with the connexion", () => {
    const talk = converse({}, { ...late, mail: once(verdict) });
    talk.tell(script("OCHMRK"));
    expect(talk.tell(script("CMRNE"))).toBe("continue continue continue continue accept");
  });

  test("at the end of the headers holds for the message", () => {
    const talk = converse({}, { ...late, endOfHeaders: once(verdict) });
    talk.tell(script("OCMRL"));
    expect(talk.tell(script("NBBE"))).toBe([word, word, word, word].join(" "));
    expect(talk.calls.slice(-2)).toEqual(["header Subject: hi", "endOfHeaders"]);
    expect(talk.session.state).toBe("greeted");
    expect(talk.tell(script("MRNBE"))).toBe("continue continue continue continue accept");
  });

  test("at RCPT is the message's only if it is accept or discard", () => {
    const talk = converse({}, { ...late, rcpt: once(verdict) });
    const sticky = word === "accept" || word === "discard";
    const after = sticky ? word : "continue";
    expect(talk.tell(script("OCMRRNB"))).toBe(
      `negotiate continue continue ${word} ${after} ${after} ${after}`,
    );
    expect(talk.tell(script("E"))).toBe(sticky ? word : "accept");
    expect(talk.tell(script("MRE"))).toBe("continue continue accept");
  });

  test("comes with no modifications, even when the last chunk rides in the end of the body", () => {
    const talk = converse({}, { ...late, endOfHeaders: once(verdict) });
    talk.tell(script("OCMRN"));
    expect(talk.tell(say({ kind: "endOfBody", bytes: Buffer.from("x") }))).toBe(word);
    expect(talk.calls.at(-1)).toBe("endOfHeaders");
  });
});

describe("the verdict at the end", () => {
  test("is given once", () => {
    const talk = converse();
    talk.tell(script("OCMRNE"));
    talk.session.finish([], { kind: "reject" });
    talk.session.finish([], { kind: "accept" });
    expect(talk.replies()).toBe("reject");
  });

  test.each(["", "O", "OC", "OCH", "OCM", "OCMR", "OCMRT", "OCMRL", "OCMRN", "OCMRNB"])(
    "is not given after '%s'",
    (letters) => {
      const talk = converse();
      talk.tell(script(letters));
      const { state } = talk.session;
      talk.session.finish([{ kind: "addHeader", name: "X", value: "y" }], { kind: "accept" });
      expect(talk.replies()).toBe("");
      expect(talk.session.state).toBe(state);
    },
  );

  test("of an aborted message is not given to the next", () => {
    const talk = converse();
    talk.tell(script("OCMRNEAMRN"));
    talk.session.finish([], { kind: "accept" });
    expect(talk.replies()).toBe("");
    talk.tell(script("E"));
    talk.session.finish([], { kind: "reject" });
    expect(talk.replies()).toBe("reject");
  });

  test("an accept on one message says nothing of the next", () => {
    const verdicts: Verdict[] = [{ kind: "accept" }, { kind: "reject" }, { kind: "discard" }];
    const talk = converse(
      {},
      { endOfMessage: (session) => session.finish([], verdicts.shift() ?? CONTINUE) },
    );
    talk.tell(script("OCH"));
    expect(talk.tell(script("MRNEMRNEMRNEMRNE"))).toBe(
      ["accept", "reject", "discard", "continue"]
        .map((word) => `continue continue continue ${word}`)
        .join(" "),
    );
  });
});

describe("progress", () => {
  test.each(["", "O", "OC", "OCH", "OCM", "OCMR", "OCMRT", "OCMRL", "OCMRN", "OCMRNB", "OCMRNEA", "OCMRNEK"])(
    "is not told after '%s'",
    (letters) => {
      const talk = converse();
      talk.tell(script(letters));
      talk.session.progress();
      expect(talk.replies()).toBe("");
    },
  );

  test("does not overtake what is to be said before it, even if the verdict is asked for in the same turn", () => {
    const talk = converse({}, { endOfMessage: (session) => session.progress() });
    expect(talk.tell(script("OCMRNE"))).toBe("negotiate continue continue continue continue progress");
  });

  test("is told while the verdict is due, and no longer", () => {
    const talk = converse();
    talk.tell(script("OCMRNE"));
    talk.session.progress();
    talk.session.progress();
    expect(talk.tell(script("D"))).toBe("progress progress");
    talk.session.progress();
    expect(talk.replies()).toBe("progress");
    expect(talk.session.state).toBe("verdictDue");
    talk.session.finish([], { kind: "accept" });
    talk.session.progress();
    expect(talk.replies()).toBe("accept");
  });
});
