import { writeUint32 } from "../wire/uint32.ts";

/** The commands used, with the NUL framing whose replies end with NUL (clamd(8)). */
export const IDSESSION: Uint8Array = Buffer.from("zIDSESSION\0");
/** Answered with PONG: renews clamd's timer of the connexion. Unlike VERSION it cannot be switched off (clamd 1.5). */
export const PING: Uint8Array = Buffer.from("zPING\0");
export const VERSION: Uint8Array = Buffer.from("zVERSION\0");
export const INSTREAM: Uint8Array = Buffer.from("zINSTREAM\0");
/** The command, and the byte with which the descriptor comes (clamd(8), FILDES). */
export const FILDES: Uint8Array = Buffer.from("zFILDES\0\0");
export const END: Uint8Array = Buffer.from("zEND\0");

/** The uint32 zero that ends an INSTREAM. */
export const STREAM_END: Uint8Array = new Uint8Array(4);

/** The uint32 that goes before each chunk of an INSTREAM. */
export function chunkLength(bytes: number): Uint8Array {
  const header = new Uint8Array(4);
  writeUint32(header, 0, bytes);
  return header;
}
