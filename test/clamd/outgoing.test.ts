import { expect, test } from "bun:test";
import fc from "fast-check";
import { Outgoing } from "../../src/clamd/outgoing.ts";

const LONG = 40_000;

function message(outgoing: Outgoing, pieces: readonly Uint8Array[], size?: number): void {
  outgoing.message(pieces.values(), size ?? pieces.reduce((sum, { length }) => sum + length, 0));
}

/** Everything that comes out, by a socket that takes so much of each write. */
function drained(outgoing: Outgoing, room = Number.POSITIVE_INFINITY): Buffer {
  const out: Buffer[] = [];
  for (let bytes = outgoing.next(); bytes !== null; bytes = outgoing.next()) {
    const count = Math.min(room, bytes.length);
    out.push(Buffer.from(bytes.subarray(0, count)));
    outgoing.taken(bytes, count);
  }
  return Buffer.concat(out);
}

test("a small mail and the commands before it leave in one write, the end of the stream with them", () => {
  const outgoing = new Outgoing();
  outgoing.command(Buffer.from("zIDSESSION\0zINSTREAM\0"));
  message(outgoing, [Buffer.from("one,"), Buffer.from("two")]);
  expect(Buffer.from(outgoing.next() ?? []).toString("latin1")).toBe(
    "zIDSESSION\0zINSTREAM\0one,two\0\0\0\0",
  );
});

test("a long piece leaves as it is, without a copy", () => {
  const outgoing = new Outgoing();
  const pieces = [Buffer.alloc(LONG, 1), Buffer.alloc(10, 2), Buffer.alloc(LONG, 3)];
  message(outgoing, pieces);
  const first = outgoing.next();
  expect(first).toBe(pieces[0] ?? null);
  outgoing.taken(first ?? Buffer.alloc(0), LONG);
  expect(outgoing.next()?.length).toBe(10);
});

test("what a full socket has not taken survives what others write meanwhile", () => {
  const [one, other] = [new Outgoing(), new Outgoing()];
  one.command(Buffer.from("first command"));
  const bytes = one.next() ?? Buffer.alloc(0);
  one.taken(bytes, 6);
  other.command(Buffer.from("XXXXXXXXXXXXXXXXXXXX"));
  drained(other);
  expect(Buffer.from(one.next() ?? []).toString()).toBe("command");
});

test.each([
  ["shorter", 5, /shorter than was said/],
  ["longer", 3, /longer than was said/],
])("a message that is %s than was said has no end of the stream", (_name, size, error) => {
  const outgoing = new Outgoing();
  message(outgoing, [Buffer.from("mail")], size);
  expect(() => drained(outgoing)).toThrow(error);
});

test("whatever the pieces and the socket, every byte comes out once and in order", () => {
  const lengths = fc.array(
    fc.oneof(fc.nat(100), fc.nat(70_000), fc.constantFrom(0, 32_767, 32_768, 65_536)),
    {
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 100_000 }), fc.nat(3), (all, room, commands) => {
      const outgoing = new Outgoing();
      const before = Array.from({ length: commands }, (_, at) => Buffer.from(`command ${at}\0`));
      for (const each of before) outgoing.command(each);
      const pieces = all.map((length, at) => Buffer.alloc(length, at + 1));
      message(outgoing, pieces);
      expect(outgoing.reading).toBe(true);
      const expected = Buffer.concat([...before, ...pieces, Buffer.alloc(4)]);
      expect(drained(outgoing, Math.max(room, 1000)).equals(expected)).toBe(true);
      expect([outgoing.reading, outgoing.waiting]).toEqual([false, false]);
    }),
    { numRuns: 60 },
  );
});

test("nothing is left of a session that is over", () => {
  const outgoing = new Outgoing();
  outgoing.command(Buffer.from("zPING\0"));
  message(outgoing, [Buffer.alloc(LONG)]);
  outgoing.drop();
  expect([outgoing.next(), outgoing.waiting]).toEqual([null, false]);
});
