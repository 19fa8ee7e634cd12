import { describe, expect, test } from "bun:test";
import { checkChildRequest, checkFromRole, checkKeeperAnswer, checkToChild } from "../../src/ipc/messages.ts";

describe("what a child may say to the supervisor about the blacklist", () => {
  test.each([
    { type: "offender", address: "192.0.2.1", because: "X" },
    { type: "offender", address: "2001:db8::1", because: "" },
    { type: "blacklistNext" },
    { type: "peers", addresses: ["192.0.2.1"] },
    { type: "peers", addresses: [] },
  ])("%j", (message) => expect(checkFromRole(message)).toEqual(message as never));

  test.each([
    { type: "offender", address: "localhost", because: "X" },
    { type: "offender", address: "192.0.2.1\n", because: "X" },
    { type: "offender", address: 7, because: "X" },
    { type: "offender", address: "192.0.2.1" },
    { type: "peers", addresses: "192.0.2.1" },
    { type: "peers", addresses: ["192.0.2.1", "rubbish"] },
  ])("never %j", (message) => expect(checkFromRole(message)).toBeNull());

  test("a long cause is cut, and of very many peers the first count", () => {
    const offender = checkFromRole({ type: "offender", address: "::1", because: "x".repeat(9999), more: 1 });
    expect(offender).toEqual({ type: "offender", address: "::1", because: "x".repeat(300) });
    const peers = checkFromRole({ type: "peers", addresses: Array(5000).fill("192.0.2.1") });
    expect(peers).toMatchObject({ addresses: { length: 1000 } });
  });
});

describe("black holes and whitelists", () => {
  test("a child asks for one address at a time", () => {
    const request = { type: "blackHole", id: 7, address: "a@b" };
    expect(checkChildRequest(request)).toEqual(request as never);
    for (const bad of [{ id: -1 }, { id: "7" }, { address: 7 }, { address: "x".repeat(321) }]) {
      expect(checkChildRequest({ ...request, ...bad })).toBeNull();
    }
  });

  test("the keeper's answers", () => {
    const hole = { type: "blackHole", id: 7, discards: true };
    const list = { type: "whitelist", from: ["a@b"], to: [], first: true, last: false };
    for (const answer of [hole, list]) expect(checkKeeperAnswer(answer)).toEqual(answer as never);
    for (const bad of [
      { ...hole, discards: 1 },
      { ...list, from: "a" },
      { ...list, to: [1] },
    ]) {
      expect(checkKeeperAnswer(bad)).toBeNull();
    }
  });

  test("a child takes what the supervisor lists", () => {
    for (const type of ["blacklist", "unblacklist"])
      expect(checkToChild({ type })).toEqual({ type } as never);
  });
});
