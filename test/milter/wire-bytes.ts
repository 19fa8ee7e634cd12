import type { Frame } from "../../src/milter/frame.ts";
import { FrameDecoder } from "../../src/milter/frame.ts";

/** Bytes of a text, one a character; of a list of numbers; or as they are. */
export type Part = string | readonly number[] | Uint8Array;

function bytesOf(part: Part): Uint8Array {
  return typeof part === "string" ? Buffer.from(part, "latin1") : Uint8Array.from(part);
}

export function joined(...parts: readonly Part[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts.map(bytesOf)));
}

/** A frame put together by hand, so that an error of the encoder cannot hide one of the decoder. */
export function wire(letter: string, ...parts: readonly Part[]): Uint8Array {
  const data = joined(...parts);
  const length = data.length + 1;
  return joined([length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255], letter, data);
}

export function uint32(value: number): readonly number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

/**
 * Every way in which a network may deliver `bytes`: whole, cut once at every place, and one by one. Each piece is a
 * copy that is overwritten after use, as a socket's buffer may be.
 */
export function* deliveries(bytes: Uint8Array): Generator<Uint8Array[]> {
  yield [bytes.slice()];
  for (let at = 1; at < bytes.length; at++) yield [bytes.slice(0, at), bytes.slice(at)];
  yield Array.from(bytes, (byte) => Uint8Array.of(byte));
}

/** Hands pieces over and then overwrites each, as the owner of a receive buffer would. */
export function deliver(pieces: readonly Uint8Array[], take: (piece: Uint8Array) => void): void {
  for (const piece of pieces) {
    take(piece);
    piece.fill(0xa5);
  }
}

/** The frames in the pieces, as letter and a copy of the data. */
export function framesOf(pieces: readonly Uint8Array[], decoder = new FrameDecoder()): Frame[] {
  const frames: Frame[] = [];
  deliver(pieces, (piece) =>
    decoder.push(piece, ({ letter, data }) => {
      frames.push({ letter, data: data.slice() });
      return true;
    }),
  );
  return frames;
}

/** Decodes each frame in `bytes` for every way of delivery; all must agree. Answers what they agree on. */
export function decodedEveryWay<T>(bytes: Uint8Array, decode: (frame: Frame) => T): T[] {
  let first: T[] | undefined;
  for (const pieces of deliveries(bytes)) {
    const values: T[] = [];
    const decoder = new FrameDecoder();
    deliver(pieces, (piece) =>
      decoder.push(piece, (frame) => {
        values.push(snapshot(decode(frame)));
        return true;
      }),
    );
    if (decoder.held !== 0) throw new Error("bytes are left over");
    first ??= values;
    if (!Bun.deepEquals(values, first, true)) {
      throw new Error(`delivered in ${pieces.length} pieces it reads ${Bun.inspect(values)}`);
    }
  }
  return first ?? [];
}

/** Views into the decoder's memory are good only for the moment. */
function snapshot<T>(value: T): T {
  return structuredClone(value);
}

/** What `work` throws. */
export function thrownBy(work: () => void): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
