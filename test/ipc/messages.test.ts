import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ChannelError, MAX_MESSAGE, MessageDecoder } from "../../src/ipc/channel.ts";
import {
  checkChildRequest,
  checkFromRole,
  checkKeeperAnswer,
  checkToChild,
  checkToKeeper,
} from "../../src/ipc/messages.ts";

function line(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

describe("messages out of bytes", () => {
  const messages = [{ type: "ready" }, 1, null, ["é", "\n\0", "文"], "text", { deep: { er: [] } }];
  const bytes = Buffer.concat(messages.map(line));

  test("whole, cut at every byte, and byte by byte", () => {
    for (let at = 0; at <= bytes.length; at++) {
      const decoder = new MessageDecoder();
      expect([...decoder.push(bytes.subarray(0, at)), ...decoder.push(bytes.subarray(at))]).toEqual(messages);
    }
    const decoder = new MessageDecoder();
    expect(Array.from(bytes).flatMap((byte) => decoder.push(Uint8Array.of(byte)))).toEqual(messages);
  });

  test("the longest is taken, a byte more is not, with or without its end", () => {
    const longest = JSON.stringify("x".repeat(MAX_MESSAGE - 2));
    expect(new MessageDecoder().push(Buffer.from(`${longest}\n`))).toHaveLength(1);
    expect(() => new MessageDecoder().push(Buffer.from(`${longest} \n`))).toThrow(ChannelError);
    const decoder = new MessageDecoder();
    decoder.push(Buffer.from(longest));
    expect(() => decoder.push(Buffer.from("x"))).toThrow(ChannelError);
  });

  test("the limit is of one message, not of all", () => {
    const decoder = new MessageDecoder();
    const half = line("x".repeat(MAX_MESSAGE / 2));
    for (let round = 0; round < 10; round++) expect(decoder.push(half)).toHaveLength(1);
  });

  test.each(["", "x", "{", "'a'", '{"a":1}}', "undefined", "NaN", "1 2", "\xff"])("%j is none", (text) => {
    expect(() => new MessageDecoder().push(Buffer.from(`${text}\n`, "latin1"))).toThrow(ChannelError);
  });

  test("one that is nested too deep is none", () => {
    expect(() => new MessageDecoder().push(Buffer.from(`${"[".repeat(200_000)}\n`))).toThrow(ChannelError);
  });

  test("any bytes: messages or a ChannelError", () => {
    const chunk = fc.oneof(
      { weight: 5, arbitrary: fc.uint8Array({ maxLength: 200 }) },
      { weight: 5, arbitrary: fc.json().map((text) => Buffer.from(`${text}\n`)) },
      { weight: 1, arbitrary: fc.constant(Buffer.alloc(100_000, 0x20)) },
    );
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 8 }), (chunks) => {
        const decoder = new MessageDecoder();
        try {
          for (const piece of chunks) decoder.push(piece);
        } catch (error) {
          return error instanceof ChannelError && error.code === "IPC_MESSAGE";
        }
        return true;
      }),
      { numRuns: 500 },
    );
  });
});

describe("what a message may be", () => {
  const NONE = [
    null,
    undefined,
    1,
    "ready",
    [],
    {},
    { type: "Ready" },
    { type: ["ready"] },
    { typ: "ready" },
  ];

  test("from a role: ready and pong, and nothing that comes with them", () => {
    expect(checkFromRole({ type: "ready", settings: "mine" })).toEqual({ type: "ready" });
    expect(checkFromRole({ type: "pong" })).toEqual({ type: "pong" });
    for (const message of [...NONE, { type: "start" }, { type: "drain" }])
      expect(checkFromRole(message)).toBeNull();
  });

  test("to a role: what the supervisor says", () => {
    expect(checkToChild({ type: "drain" })).toEqual({ type: "drain" });
    expect(checkToChild({ type: "start" })?.type).toBe("start");
    expect(checkToKeeper({ type: "end" })?.type).toBe("end");
    for (const message of [...NONE, { type: "ready" }]) {
      expect(checkToChild(message)).toBeNull();
      expect(checkToKeeper(message)).toBeNull();
    }
  });

  test("from a child to the keeper: every field is looked at", () => {
    const connect = { type: "connect", id: 1, server: "clamd", deadline: 5000 } as const;
    expect(checkChildRequest({ ...connect, path: "/etc/shadow" })).toEqual(connect);
    expect(checkChildRequest({ type: "spool", id: 7, directory: "/" })).toEqual({ type: "spool", id: 7 });
    const name = { type: "name", id: 2, address: "2001:db8::1" } as const;
    expect(checkChildRequest({ ...name, more: 1 })).toEqual(name);
    expect(checkChildRequest({ type: "access", file: "/etc/shadow" })).toEqual({ type: "access" });
    const lines = [{ level: "info", text: "x" }] as const;
    expect(checkChildRequest({ type: "log", lines })).toEqual({ type: "log", lines: [...lines] });
    const wrong = [
      { ...connect, server: -1 },
      { ...connect, server: 1.5 },
      { ...connect, server: 0 },
      { ...connect, id: 2 ** 32 },
      { ...connect, deadline: Number.NaN },
      { type: "spool" },
      { ...name, id: -1 },
      { ...name, address: 1 },
      { ...name, address: "localhost" },
      { ...name, address: "1".repeat(46) },
      { type: "log", lines: "x" },
      { type: "log", lines: [{ level: "loud", text: "x" }] },
      { type: "log", lines: [{ level: "info", text: "x".repeat(20_000) }] },
    ];
    for (const message of [...NONE, ...wrong]) expect(checkChildRequest(message)).toBeNull();
  });

  test("from the keeper to a child", () => {
    expect(checkKeeperAnswer({ type: "done", id: 3 })).toEqual({ type: "done", id: 3 });
    const failed = { type: "failed", id: 3, reason: "no" } as const;
    expect(checkKeeperAnswer(failed)).toEqual(failed);
    const name = { type: "name", id: 3, name: "mx.example.org" } as const;
    expect(checkKeeperAnswer(name)).toEqual(name);
    expect(checkKeeperAnswer({ ...name, name: "x".repeat(256) })).toBeNull();
    for (const message of [...NONE, { type: "done" }, { type: "failed", id: 1 }]) {
      expect(checkKeeperAnswer(message)).toBeNull();
    }
  });

  test("access tables: their whole form is looked at", () => {
    const rule = { line: 1, daemons: ["ALL"], clients: ["ALL"], options: null };
    const file = { fileName: "hosts.deny", rules: [rule], broken: null, warnings: [] };
    const access = { tables: { allow: file, deny: file }, files: { "/f": null }, netgroups: { g: ["h"] } };
    expect(checkKeeperAnswer({ type: "access", access })).toEqual({ type: "access", access });
    const broken = { ...file, broken: { line: 0, reason: "cannot be read" } };
    const ofDeny = (deny: unknown) => ({ ...access, tables: { allow: file, deny } });
    expect(checkKeeperAnswer({ type: "access", access: ofDeny(broken) })).not.toBeNull();
    const wrong = [
      null,
      {},
      { ...access, tables: null },
      { ...access, files: { "/f": 1 } },
      { ...access, netgroups: { g: "h" } },
      ofDeny({ ...file, broken: "no" }),
      ofDeny({ ...file, rules: [null] }),
      ofDeny({ ...file, rules: [{ ...rule, options: 1 }] }),
      ofDeny({ ...file, rules: [{ ...rule, clients: [1] }] }),
    ];
    for (const state of wrong) expect(checkKeeperAnswer({ type: "access", access: state })).toBeNull();
  });
});
