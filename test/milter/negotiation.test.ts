import { describe, expect, test } from "bun:test";
import { wantedOf } from "../../src/child/wanted.ts";
import { Action, ALL_ACTIONS, ALL_STEPS, Step } from "../../src/milter/codes.ts";
import { agree, encodeAgreement, type Wanted } from "../../src/milter/negotiation.ts";
import { RULES } from "../response/fixtures.ts";
import { thrownBy, uint32, wire } from "./wire-bytes.ts";

const plain: Wanted = { actions: 0x11, steps: Step.noHelo | Step.skip | Step.headerLeadingSpace, macros: {} };
const asking: Wanted = { ...plain, macros: { connect: ["j", "{client_addr}"], endOfMessage: ["i"] } };

describe("versions", () => {
  test.each([
    [2, 2],
    [3, 3],
    [4, 4],
    [5, 5],
    [6, 6],
    [7, 6],
    [0xffffffff, 6],
  ])("offered %d, agreed %d", (offered, agreed) => {
    const offer = { version: offered, actions: ALL_ACTIONS, steps: ALL_STEPS };
    expect(agree(offer, plain).version).toBe(agreed);
  });

  test.each([0, 1])("version %d is too old", (version) => {
    const offer = { version, actions: ALL_ACTIONS, steps: ALL_STEPS };
    expect(thrownBy(() => agree(offer, plain))).toMatchObject({
      code: "MILTER_NEGOTIATION",
      message: `the MTA speaks milter version ${version}; 2 is the oldest that is understood`,
    });
  });
});

describe("actions and steps: what is wanted, as far as it is offered", () => {
  test("every single bit that is missing is not asked for", () => {
    for (let bit = 1; bit < ALL_STEPS; bit *= 2) {
      const offer = { version: 6, actions: ALL_ACTIONS & ~bit, steps: ALL_STEPS & ~bit };
      const wanted = { actions: ALL_ACTIONS, steps: ALL_STEPS, macros: {} };
      expect(agree(offer, wanted)).toEqual({ version: 6, actions: offer.actions, steps: offer.steps });
    }
  });

  test("what is offered and not wanted is left", () => {
    const offer = { version: 6, actions: 0xffffffff, steps: 0xffffffff };
    expect(agree(offer, plain)).toEqual({ version: 6, actions: 0x11, steps: plain.steps });
  });

  test("zero means what it meant in version 1, for each mask on its own", () => {
    const all = { actions: ALL_ACTIONS, steps: ALL_STEPS, macros: {} };
    expect(agree({ version: 2, actions: 0, steps: 0 }, all)).toEqual({
      version: 2,
      actions: 0x0f,
      steps: 0x3f,
    });
    expect(agree({ version: 6, actions: 0, steps: 0x400 }, all)).toEqual({
      version: 6,
      actions: 0x0f,
      steps: 0x400,
    });
  });

  test("the highest bit stays a positive number", () => {
    const wanted = { actions: 0x80000000, steps: 0x80000000, macros: {} };
    const offer = { version: 6, actions: 0xffffffff, steps: 0xffffffff };
    expect(agree(offer, wanted)).toEqual({ version: 6, actions: 0x80000000, steps: 0x80000000 });
  });
});

describe("macro lists", () => {
  test("ride in the answer where they may be set", () => {
    const agreement = agree({ version: 6, actions: ALL_ACTIONS, steps: ALL_STEPS }, asking);
    expect(agreement.actions).toBe(0x111);
    expect(Buffer.from(encodeAgreement(agreement, asking.macros))).toEqual(
      Buffer.from(
        wire("O", ...[6, 0x111, asking.steps].map(uint32), uint32(0), "j {client_addr}\0", uint32(5), "i\0"),
      ),
    );
  });

  test("do not where the MTA does not let them be set", () => {
    const agreement = agree({ version: 6, actions: 0xff, steps: ALL_STEPS }, asking);
    expect(agreement.actions).toBe(0x11);
    expect(Buffer.from(encodeAgreement(agreement, asking.macros))).toEqual(
      Buffer.from(wire("O", ...[6, 0x11, asking.steps].map(uint32))),
    );
  });

  test("are not asked for when none is wanted", () => {
    const agreement = agree({ version: 6, actions: ALL_ACTIONS, steps: ALL_STEPS }, plain);
    expect(agreement.actions).toBe(0x11);
    expect(encodeAgreement(agreement, plain.macros)).toHaveLength(17);
  });
});

describe("what the filter wants", () => {
  const needs = { helo: false, answerMail: false, answerRcpt: false, answerEndOfHeaders: false };
  const wanted = wantedOf(RULES, needs);

  test("headers may be added and changed, unless there are none", () => {
    expect(wanted.actions).toBe(Action.addHeaders | Action.changeHeaders);
    expect(wantedOf({ ...RULES, addHeaders: false }, needs).actions).toBe(0);
  });

  test("nothing of the message is left out", () => {
    const needed =
      Step.noConnect | Step.noMail | Step.noRcpt | Step.noHeaders | Step.noEndOfHeaders | Step.noBody;
    expect(wanted.steps & needed).toBe(0);
    expect(wanted.steps & Step.noReplyConnect).toBe(0);
    expect(wanted.steps & Step.headerLeadingSpace).not.toBe(0);
  });

  test("HELO is heard, and a stage answered, only where an option needs that", () => {
    const answers = Step.noReplyMail | Step.noReplyRcpt | Step.noReplyEndOfHeaders;
    expect(wanted.steps & (Step.noHelo | answers)).toBe(Step.noHelo | answers);
    const all = { helo: true, answerMail: true, answerRcpt: true, answerEndOfHeaders: true };
    const busy = wantedOf({ ...RULES, addHeaders: true }, all);
    expect(busy.steps & (Step.noHelo | answers)).toBe(0);
    expect(busy.steps & Step.noReplyHelo).not.toBe(0);
  });

  test("the queue id is asked for where sendmail and where Postfix know it", () => {
    for (const stage of ["mail", "rcpt", "data", "endOfMessage"] as const) {
      expect(wanted.macros[stage]).toContain("i");
    }
    expect(wanted.macros.connect).toContain("{client_addr}");
    expect(wanted.macros.connect).toContain("j");
    // Postfix would send it before every header.
    expect(wanted.macros.endOfHeaders).toBeUndefined();
  });
});
