import { ptr } from "bun:ffi";
import { fixedMemory } from "../../src/os/fixed-memory.ts";

/** A frame as it goes over the wire. */
export interface WireFrame {
  readonly bytes: Uint8Array;
  /** Letter of the command. */
  readonly stage: number;
  /** Whether the other end answers it. */
  readonly answered: boolean;
}

/** Bytes that are sent without a pause, to the answer that is due after them. */
export interface Stretch {
  /** Where it begins among the bytes of its part. */
  readonly at: number;
  readonly length: number;
  /** Letter of the last command, which is the one that is answered, if any is. */
  readonly stage: number;
  readonly answered: boolean;
}

/** A run of frames, in memory once, that any number of connexions send. */
export interface Part {
  readonly bytes: Buffer;
  /** Address of the bytes. */
  readonly address: number;
  readonly stretches: readonly Stretch[];
}

/** Lays frames behind each other; those that are not answered are one stretch with those that follow. */
export function layOut(frames: readonly WireFrame[]): Part {
  const length = frames.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const bytes = fixedMemory(Math.max(1, length));
  const stretches: Stretch[] = [];
  let at = 0;
  let start = 0;
  for (const [number, frame] of frames.entries()) {
    bytes.set(frame.bytes, at);
    at += frame.bytes.length;
    if (!frame.answered && number < frames.length - 1) continue;
    stretches.push({ at: start, length: at - start, stage: frame.stage, answered: frame.answered });
    start = at;
  }
  return { bytes, address: ptr(bytes), stretches };
}

/** A copy with bytes of its own, which may be changed. */
export function ownCopy(part: Part): Part {
  const bytes = fixedMemory(part.bytes.length);
  bytes.set(part.bytes);
  return { ...part, bytes, address: ptr(bytes) };
}

/** Digits of the number that makes each message unlike all others. */
export const DIGITS = 12;
/** Stands in templates where that number goes. */
export const PLACE = "?".repeat(DIGITS);

/** Where the number goes in a template. */
export function placesIn(bytes: Buffer): readonly number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(PLACE); at >= 0; at = bytes.indexOf(PLACE, at + DIGITS)) places.push(at);
  return places;
}

/** Writes a number into its places. */
export function putNumber(bytes: Buffer, places: readonly number[], number: number): void {
  for (const place of places) {
    let rest = number;
    for (let at = place + DIGITS - 1; at >= place; at--) {
      bytes[at] = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
  }
}
