import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readTxtAnswer, txtQuestion } from "../../src/spf/txt-message.ts";

const QUESTION = txtQuestion(4711, "Lab.example.");

interface Record {
  readonly type?: number;
  readonly owner?: string;
  readonly pieces: readonly string[];
}

function answer(records: readonly Record[], flags = 0x8180): Buffer {
  const head = Buffer.from(QUESTION);
  head.writeUInt16BE(flags, 2);
  head.writeUInt16BE(records.length, 6);
  const parts = records.map(({ type = 16, owner = "\xc0\x0c", pieces }) => {
    const data = Buffer.concat(
      pieces.map((each) => Buffer.from(`${String.fromCharCode(each.length)}${each}`, "latin1")),
    );
    const fixed = Buffer.from([0, type, 0, 1, 0, 0, 0, 60, data.length >> 8, data.length & 0xff]);
    return Buffer.concat([Buffer.from(owner, "latin1"), fixed, data]);
  });
  return Buffer.concat([head, ...parts]);
}

test("a question, byte by byte", () => {
  const name = "\x03Lab\x07example\0";
  const expected = `\x12\x67\x01\0\0\x01\0\0\0\0\0\0${name}\0\x10\0\x01`;
  expect(QUESTION.toString("latin1")).toBe(expected);
});

test.each(["", "a..b", "x".repeat(64), `${"abc.".repeat(63)}ab`])("no name: %s", (name) => {
  expect(() => txtQuestion(1, name)).toThrow(expect.objectContaining({ code: "EBADNAME" }));
});

test("each record with its own pieces, behind an alias, too", () => {
  const alias = { type: 5, pieces: ["other"] };
  const own = { owner: "\x05other\xc0\x10", pieces: ["v=spf1 ip4:192.0.2.1/2", "8 -all"] };
  expect(readTxtAnswer(QUESTION, answer([alias, { pieces: ["one"] }, own, { pieces: [""] }]))).toEqual({
    kind: "records",
    records: [["one"], ["v=spf1 ip4:192.0.2.1/2", "8 -all"], [""]],
  });
});

describe("what is no answer with records", () => {
  test.each([
    ["no such name", answer([], 0x8183), { kind: "failed", code: "ENOTFOUND" }],
    ["no such record", answer([{ type: 5, pieces: ["x"] }]), { kind: "failed", code: "ENODATA" }],
    ["a server that fails", answer([], 0x8182), { kind: "failed", code: "ESERVFAIL" }],
    ["too much for a datagram", answer([], 0x8380), { kind: "truncated" }],
    ["a question", answer([], 0x0100), null],
    ["half of it", answer([{ pieces: ["one"] }]).subarray(0, -2), null],
  ] as const)("%s", (_what, bytes, expected) => {
    expect(readTxtAnswer(QUESTION, bytes)).toEqual(expected);
  });

  test("to another question", () => {
    const other = answer([{ pieces: ["v=spf1 +all"] }]);
    expect(readTxtAnswer(txtQuestion(4712, "lab.example"), other)).toBeNull();
    expect(readTxtAnswer(txtQuestion(4711, "bank.example"), other)).toBeNull();
    // Other capitals are the same name.
    expect(readTxtAnswer(txtQuestion(4711, "LAB.example"), other)?.kind).toBe("records");
  });
});

test("no bytes do harm", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(0xffff), (bytes, count) => {
      const head = answer([]);
      head.writeUInt16BE(count, 6);
      readTxtAnswer(QUESTION, Buffer.from(bytes));
      readTxtAnswer(QUESTION, Buffer.concat([head, bytes]));
    }),
  );
});
