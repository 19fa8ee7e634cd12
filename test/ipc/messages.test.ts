import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ChannelError, MAX_MESSAGE, MessageDecoder } from "../../src/ipc/channel.ts";
import { checkFromChild, checkToChild } from "../../src/ipc/messages.ts";

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

  test("from a child: ready, and nothing that comes with it", () => {
    expect(checkFromChild({ type: "ready", settings: "mine" })).toEqual({ type: "ready" });
    for (const message of [...NONE, { type: "start" }, { type: "drain" }])
      expect(checkFromChild(message)).toBeNull();
  });

  test("to a child: start and drain", () => {
    expect(checkToChild({ type: "drain" })).toEqual({ type: "drain" });
    expect(checkToChild({ type: "start" })?.type).toBe("start");
    for (const message of [...NONE, { type: "ready" }]) expect(checkToChild(message)).toBeNull();
  });
});
