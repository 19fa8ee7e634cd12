import { fstatSync, read } from "node:fs";
import { promisify } from "node:util";

const readAt = promisify(read);
const PIECE = 256 * 1024;

/** A message in a file whose descriptor a child has passed. */
export interface PassedMessage {
  readonly size: number;
  /** The message in pieces. */
  pieces(): AsyncGenerator<Uint8Array>;
  /** Its first bytes. */
  start(bytes: number): Promise<Buffer>;
}

/**
 * A message on a descriptor.
 * @param skip bytes at its beginning that are not the sender's
 * @throws Error when the descriptor is not that of a plain file: reading could wait for ever
 */
export function passedMessage(fd: number, skip: number): PassedMessage {
  const stat = fstatSync(fd);
  if (!stat.isFile()) throw new Error("what was passed is no file");
  const size = Math.max(0, stat.size - skip);
  async function* pieces(most = size): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < most; ) {
      const buffer = Buffer.allocUnsafe(Math.min(PIECE, most - at));
      const { bytesRead } = await readAt(fd, buffer, 0, buffer.length, skip + at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }
  return {
    size,
    pieces: () => pieces(),
    start: async (bytes) => {
      const parts: Uint8Array[] = [];
      for await (const part of pieces(Math.min(size, bytes))) parts.push(part);
      return Buffer.concat(parts);
    },
  };
}
