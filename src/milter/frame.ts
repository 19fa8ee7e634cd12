import { readUint32, writeUint32 } from "../wire/uint32.ts";
import { MAX_FRAME_DATA } from "./codes.ts";
import { MilterError } from "./milter-error.ts";

/** One frame of the wire: a letter and what follows it. */
export interface Frame {
  /** Command or reply letter, as a byte. */
  readonly letter: number;
  /** What follows the letter; a view that is good only until the next push. */
  readonly data: Uint8Array;
}

const LENGTH_BYTES = 4;
const FIRST_ROOM = 512;
/** Bytes of a frame that are worth being handed out before the rest has come. */
const WORTH_A_PIECE = 4096;

/**
 * Cuts a stream of bytes into milter frames (uint32 length that counts the letter, letter, data).
 *
 * A frame that lies whole in what was pushed is handed out as a view, without a copy. Of one that is cut
 * only what has arrived is kept, so that a peer that promises much and sends little costs little. Frames of one letter
 * may be handed out piece by piece instead, so that nothing of a long one has to be kept.
 */
export class FrameDecoder {
  readonly #maxLength: number;
  readonly #streamed: number | null;
  /** Bytes that are still to come of a frame that is handed out in pieces. */
  #owed = 0;
  #kept: Uint8Array = new Uint8Array(0);
  #keptLength = 0;

  /**
   * @param maxData longest data accepted after the letter, in bytes
   * @param streamed letter of the frames that may be handed out in pieces
   */
  constructor(maxData: number = MAX_FRAME_DATA, streamed: number | null = null) {
    this.#maxLength = maxData + 1;
    this.#streamed = streamed;
  }

  /** Bytes of an unfinished frame that are held: at most the longest frame. */
  get held(): number {
    return this.#keptLength;
  }

  /** Memory held for an unfinished frame, in bytes: at most twice the longest frame. */
  get room(): number {
    return this.#kept.length;
  }

  /**
   * Takes bytes and hands each finished frame to `onFrame`, in order. `onFrame` answers false to stop (the
   * connexion is over): the rest is dropped. `more` tells that what was handed out is not the frame's end.
   * @throws MilterError `MILTER_FRAME_LENGTH` when a length is zero or over the limit
   */
  push(bytes: Uint8Array, onFrame: (frame: Frame, more: boolean) => boolean): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#owed > 0) {
        const data = bytes.subarray(at, at + this.#owed);
        at += data.length;
        this.#owed -= data.length;
        if (!onFrame({ letter: this.#streamed ?? 0, data }, this.#owed > 0)) return;
        continue;
      }
      if (this.#keptLength > 0) {
        const taken = this.#complete(bytes, at);
        at += taken;
        const whole = this.#whole(this.#kept, 0, this.#keptLength);
        if (whole === 0) return;
        const frame = this.#frame(this.#kept, 0, whole);
        this.#keptLength = 0;
        if (!onFrame(frame, false)) return;
        // A long frame's room is given back: thousands of idle connexions must not each keep 64 kB.
        this.#kept = new Uint8Array(0);
        continue;
      }
      const whole = this.#whole(bytes, at, bytes.length - at);
      if (whole === 0) {
        if (this.#mayBePiece(bytes, at)) {
          this.#owed = LENGTH_BYTES + readUint32(bytes, at) - (bytes.length - at);
          onFrame(this.#frame(bytes, at, bytes.length - at), true);
        } else this.#keep(bytes.subarray(at));
        return;
      }
      const frame = this.#frame(bytes, at, whole);
      at += whole;
      if (!onFrame(frame, false)) return;
    }
  }

  #mayBePiece(bytes: Uint8Array, at: number): boolean {
    return bytes.length - at >= WORTH_A_PIECE && bytes[at + LENGTH_BYTES] === this.#streamed;
  }

  /** Bytes of the whole frame that begins at `at`, or 0 while it is not whole. */
  #whole(bytes: Uint8Array, at: number, available: number): number {
    if (available < LENGTH_BYTES) return 0;
    const length = readUint32(bytes, at);
    if (length === 0 || length > this.#maxLength) {
      throw new MilterError(
        "MILTER_FRAME_LENGTH",
        `frame length ${length} is not between 1 and ${this.#maxLength}: the peer does not speak milter`,
      );
    }
    return available >= LENGTH_BYTES + length ? LENGTH_BYTES + length : 0;
  }

  #frame(bytes: Uint8Array, at: number, whole: number): Frame {
    return { letter: bytes[at + LENGTH_BYTES] ?? 0, data: bytes.subarray(at + LENGTH_BYTES + 1, at + whole) };
  }

  /** Moves from `bytes` what the kept frame lacks; answers how many bytes that were. */
  #complete(bytes: Uint8Array, at: number): number {
    let taken = 0;
    if (this.#keptLength < LENGTH_BYTES) {
      taken = Math.min(LENGTH_BYTES - this.#keptLength, bytes.length - at);
      this.#keep(bytes.subarray(at, at + taken));
      if (this.#keptLength < LENGTH_BYTES) return taken;
      this.#whole(this.#kept, 0, this.#keptLength);
    }
    const lacking = LENGTH_BYTES + readUint32(this.#kept, 0) - this.#keptLength;
    const more = Math.min(lacking, bytes.length - at - taken);
    if (more > 0) this.#keep(bytes.subarray(at + taken, at + taken + more));
    return taken + more;
  }

  #keep(bytes: Uint8Array): void {
    const need = this.#keptLength + bytes.length;
    if (need > this.#kept.length) {
      const limit = LENGTH_BYTES + this.#maxLength;
      const grown = new Uint8Array(Math.min(limit, Math.max(FIRST_ROOM, need * 2)));
      grown.set(this.#kept.subarray(0, this.#keptLength));
      this.#kept = grown;
    }
    this.#kept.set(bytes, this.#keptLength);
    this.#keptLength = need;
  }
}

/**
 * One frame as bytes.
 * @throws RangeError when the data is longer than a frame can carry
 */
export function encodeFrame(letter: number, ...parts: readonly Uint8Array[]): Uint8Array {
  let length = 1;
  for (const part of parts) length += part.length;
  if (length > MAX_FRAME_DATA + 1)
    throw new RangeError(`a frame of ${length} bytes is longer than the protocol allows`);
  const frame = new Uint8Array(LENGTH_BYTES + length);
  writeUint32(frame, 0, length);
  frame[LENGTH_BYTES] = letter;
  let at = LENGTH_BYTES + 1;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}
