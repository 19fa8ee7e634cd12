import { describe, expect, test } from "bun:test";
import { type CommandKind, inMessage, nextState, type State } from "../../src/milter/transitions.ts";

/**
 * The protocol as a picture. A row is a state, a column a command by its letter, a cell the state that follows by
 * the first letter of its row's label; `.` is illegal and ends the connexion.
 */
const LETTERS = "OCHMRTLNBEUADQK";
const PICTURE: Readonly<Record<string, string>> = {
  //               OCHMRTLNBEUADQK
  "0 start": "1...........00.",
  "1 negotiated": ".2........11111",
  "2 connected": "..34......22211",
  "3 greeted": "..34......33311",
  "4 mail": "...45.....43411",
  "5 rcpt": "...456789a53511",
  "6 data": "...4..789a63611",
  "7 headers": "...4..789a.3711",
  "8 endOfHeaders": "...4....9a.3811",
  "9 body": "...4....9a.3911",
  "a verdictDue": "...........3a11",
};
const KINDS: Readonly<Record<string, CommandKind>> = {
  O: "negotiate",
  C: "connect",
  H: "helo",
  M: "mail",
  R: "rcpt",
  T: "data",
  L: "header",
  N: "endOfHeaders",
  B: "body",
  E: "endOfBody",
  U: "unknown",
  A: "abort",
  D: "macro",
  Q: "quit",
  K: "quitNewConnexion",
};
const STATES = new Map(Object.keys(PICTURE).map((label) => [label[0] ?? "", label.slice(2) as State]));

describe("every command in every state", () => {
  test.each(Object.entries(PICTURE))("%s", (label, cells) => {
    expect(cells).toHaveLength(LETTERS.length);
    const expected = [...LETTERS].map((letter, at) => [letter, STATES.get(cells[at] ?? "")]);
    const found = [...LETTERS].map((letter) => [
      letter,
      nextState(label.slice(2) as State, KINDS[letter] as CommandKind),
    ]);
    expect(found).toEqual(expected);
  });

  test("a message is in hand from MAIL to the verdict", () => {
    const within = [...STATES].filter(([, state]) => inMessage(state)).map(([label]) => label);
    expect(within.join("")).toBe("456789a");
  });

  test("after MAIL a message can always be given up, and so can the connexion", () => {
    for (const state of STATES.values()) {
      if (!inMessage(state)) continue;
      expect(nextState(state, "abort")).toBe("greeted");
      expect(nextState(state, "quit")).toBeDefined();
      expect(nextState(state, "quitNewConnexion")).toBe("negotiated");
    }
  });
});
