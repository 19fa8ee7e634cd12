import { expect, test } from "bun:test";
import { checkFromEngine, checkToEngine } from "../../src/ipc/engine-messages.ts";
import { checkFromRole } from "../../src/ipc/messages.ts";

test("what an engine may say", () => {
  const loaded = { type: "loaded", version: "ClamAV 1.4.6", signatures: 3, finds: true, warnings: ["old"] };
  expect(checkFromEngine(loaded)).toEqual(loaded as never);
  expect(checkFromEngine({ type: "temporary", problem: null })).toEqual({ type: "temporary", problem: null });
  for (const type of ["stuck", "idle"] as const) expect(checkFromEngine({ type, more: 1 })).toEqual({ type });
});

test("its texts are one line of bounded length each", () => {
  const evil = `a\nb\u001b[31m${"x".repeat(1000)}`;
  expect(checkFromEngine({ type: "unusable", reason: evil, judged: true })).toEqual({
    type: "unusable",
    reason: `a?b?[31m${"x".repeat(492)}`,
    judged: true,
  });
  const warnings = Array.from({ length: 50 }, () => evil);
  const checked = checkFromEngine({ type: "loaded", version: evil, signatures: 1, finds: false, warnings });
  expect(checked).toMatchObject({ version: expect.stringMatching(/^[\x20-\x7e]{500}$/) });
  expect(checked?.type === "loaded" && checked.warnings.length).toBe(5);
});

test("anything else is nothing", () => {
  for (const message of [
    null,
    "loaded",
    {},
    { type: "start" },
    { type: "loaded", version: "x", signatures: "3", finds: true, warnings: [] },
    { type: "loaded", version: "x", signatures: 3, finds: true },
    { type: "temporary" },
    { type: "unusable", judged: true },
    { type: "unusable", reason: "no database" },
  ]) {
    expect(checkFromEngine(message)).toBeNull();
  }
  expect(checkToEngine({ type: "retire" })).toEqual({ type: "retire" });
  expect(checkToEngine({ type: "ready" })).toBeNull();
});

test("a warning that is no text makes the message none, and throws nothing", () => {
  const loaded = { type: "loaded", version: "v", signatures: 1, finds: true };
  for (const warning of [{ toString: 1 }, { toString: null, valueOf: null }, null, 1, ["a"]]) {
    expect(checkFromEngine({ ...loaded, warnings: ["old", warning] })).toBeNull();
    expect(checkFromRole({ ...loaded, warnings: [warning] })).toBeNull();
  }
});
