import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeFrame, FrameDecoder } from "../../src/milter/frame.ts";
import { MilterError } from "../../src/milter/milter-error.ts";
import { deliver, deliveries, framesOf, joined, thrownBy, uint32, wire } from "./wire-bytes.ts";

const LONGEST = 65_535;
const stop = () => false;
const goOn = () => true;

describe("frames, whole and cut at every byte", () => {
  const cases: readonly [name: string, bytes: Uint8Array, frames: [string, string][]][] = [
    ["a letter alone", wire("Q"), [["Q", ""]]],
    ["a letter with data", wire("H", "mail.example\0"), [["H", "mail.example\0"]]],
    ["data that looks like a length", wire("B", uint32(0xffffffff)), [["B", "\xff\xff\xff\xff"]]],
    [
      "several in a row",
      joined(wire("D", "C"), wire("A"), wire("B", "\r\n.\r\n"), wire("N")),
      [
        ["D", "C"],
        ["A", ""],
        ["B", "\r\n.\r\n"],
        ["N", ""],
      ],
    ],
  ];
  test.each(cases)("%s", (_name, bytes, expected) => {
    for (const pieces of deliveries(bytes)) {
      const frames = framesOf(pieces).map(({ letter, data }) => [
        String.fromCharCode(letter),
        Buffer.from(data).toString("latin1"),
      ]);
      expect(frames).toEqual(expected);
    }
  });

  test("the longest frame, cut at its borders", () => {
    const data = new Uint8Array(LONGEST).map((_, at) => at % 251);
    const bytes = joined(wire("B", data), wire("N"));
    for (const at of [1, 3, 4, 5, 6, 511, 512, 513, LONGEST + 4, LONGEST + 5, LONGEST + 6, LONGEST + 8]) {
      const frames = framesOf([bytes.slice(0, at), bytes.slice(at)]);
      expect(frames.map((frame) => frame.letter)).toEqual([0x42, 0x4e]);
      expect(Bun.deepEquals(frames[0]?.data, data)).toBe(true);
    }
  });

  test("of a letter that is streamed the first piece is handed out as soon as it is worth it", () => {
    const data = new Uint8Array(LONGEST).map((_, at) => at % 251);
    const bytes = joined(wire("L", data), wire("B", data), wire("N"));
    for (const at of [LONGEST + 9, LONGEST + 4200, 2 * LONGEST, 2 * LONGEST + 10, bytes.length]) {
      const decoder = new FrameDecoder(LONGEST, 0x42);
      const pieces: [letter: string, length: number, more: boolean][] = [];
      const seen: Uint8Array[] = [];
      for (const part of [bytes.slice(0, at), bytes.slice(at, at + 100), bytes.slice(at + 100)]) {
        decoder.push(part, (frame, more) => {
          pieces.push([String.fromCharCode(frame.letter), frame.data.length, more]);
          if (frame.letter === 0x42) seen.push(frame.data);
          return true;
        });
      }
      expect(Bun.deepEquals(new Uint8Array(Buffer.concat(seen)), data)).toBe(true);
      expect(pieces.filter(([, , more]) => !more).map(([letter]) => letter)).toEqual(["L", "B", "N"]);
      expect(decoder.held).toBe(0);
      if (at === 2 * LONGEST) expect(pieces.length).toBe(4);
    }
  });

  test("nothing is nothing", () => {
    const decoder = new FrameDecoder();
    decoder.push(new Uint8Array(0), stop);
    expect([decoder.held, decoder.room]).toEqual([0, 0]);
  });
});

describe("lengths that no milter peer sends", () => {
  test.each([0, LONGEST + 2, 0x7fffffff, 0x80000000, 0xffffffff])("%d ends the stream", (length) => {
    for (const pieces of deliveries(joined(uint32(length), "O"))) {
      const error = thrownBy(() => framesOf(pieces));
      expect(error).toBeInstanceOf(MilterError);
      expect(error).toMatchObject({ code: "MILTER_FRAME_LENGTH" });
      expect(String(error)).toContain(String(length));
    }
  });

  test("frames before it are still handed out", () => {
    const seen: number[] = [];
    const error = thrownBy(() =>
      new FrameDecoder().push(joined(wire("A"), uint32(0)), (frame) => {
        seen.push(frame.letter);
        return true;
      }),
    );
    expect(error).toMatchObject({ code: "MILTER_FRAME_LENGTH" });
    expect(seen).toEqual([0x41]);
  });

  test("a smaller limit can be set", () => {
    expect(framesOf([wire("B", "1234")], new FrameDecoder(4))).toHaveLength(1);
    expect(thrownBy(() => framesOf([wire("B", "12345")], new FrameDecoder(4)))).toMatchObject({
      code: "MILTER_FRAME_LENGTH",
    });
  });
});

describe("what a decoder holds", () => {
  test("a long frame's room is given back", () => {
    const decoder = new FrameDecoder();
    framesOf([wire("B", new Uint8Array(LONGEST)).slice(0, 60_000)], decoder);
    expect(decoder.held).toBe(60_000);
    framesOf([new Uint8Array(5540)], decoder);
    expect([decoder.held, decoder.room]).toEqual([0, 0]);
  });

  test("a promise of much that is not kept costs little", () => {
    const decoder = new FrameDecoder();
    framesOf([joined(uint32(LONGEST), "B", "few")], decoder);
    expect(decoder.held).toBe(8);
    expect(decoder.room).toBeLessThanOrEqual(1024);
  });

  test("byte by byte it is never more than a frame, nor its room more than two", () => {
    const decoder = new FrameDecoder();
    const bytes = wire("B", new Uint8Array(LONGEST));
    for (let at = 0; at < bytes.length; at += 7) {
      decoder.push(bytes.subarray(at, at + 7), goOn);
      expect(decoder.held).toBeLessThanOrEqual(LONGEST + 5);
      expect(decoder.room).toBeLessThanOrEqual(2 * (LONGEST + 5));
    }
    expect(decoder.held).toBe(0);
  });

  test("after the taker has had enough, the rest is dropped", () => {
    const decoder = new FrameDecoder();
    let count = 0;
    decoder.push(joined(wire("Q"), wire("H", "x\0"), wire("H").slice(0, 3)), () => ++count < 1);
    expect(count).toBe(1);
    expect(decoder.held).toBe(0);
  });
});

describe("encodeFrame", () => {
  test("parts stand back to back behind the letter", () => {
    const frame = encodeFrame(0x68, Buffer.from("Name\0"), new Uint8Array(0), Buffer.from("value\0"));
    expect(Buffer.from(frame)).toEqual(Buffer.from(wire("h", "Name\0", "value\0")));
  });

  test("the longest data fits, a byte more does not", () => {
    expect(encodeFrame(0x62, new Uint8Array(LONGEST))).toHaveLength(LONGEST + 5);
    expect(() => encodeFrame(0x62, new Uint8Array(LONGEST), new Uint8Array(1))).toThrow(RangeError);
  });
});

describe("any bytes at all", () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 });

  test("only a MilterError comes out, and what is held has its bound", () => {
    fc.assert(
      fc.property(pieces, fc.constantFrom(1, 16, 200, LONGEST), (chunks, limit) => {
        const decoder = new FrameDecoder(limit);
        try {
          deliver(chunks, (chunk) => decoder.push(chunk, goOn));
        } catch (error) {
          if (!(error instanceof MilterError)) throw error;
        }
        return decoder.held <= limit + 5 && decoder.room <= 2 * (limit + 5) + 512;
      }),
      { numRuns: 2000 },
    );
  });

  test("how frames are cut into pieces does not matter", () => {
    const frames = fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 700 })), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 900 })), (list, cuts) => {
        const bytes = joined(...list.map(([letter, data]) => encodeFrame(letter, data)));
        const parts: Uint8Array[] = [];
        let at = 0;
        for (const cut of cuts) {
          parts.push(bytes.slice(at, at + cut));
          at += cut;
        }
        parts.push(bytes.slice(at));
        const read = framesOf(parts).map(({ letter, data }) => [letter, Uint8Array.from(data)]);
        return Bun.deepEquals(read, list);
      }),
      { numRuns: 1000 },
    );
  });
});
