import { writeFileSync } from "node:fs";

const HEADER = 16;
const ROOM = 1024 * 1024;

/** What a fuzzing process is at, as another process can see it whatever becomes of the first. */
export interface Progress {
  /** Executions that were begun. */
  readonly count: number;
  /** The input in hand. */
  readonly input: Uint8Array;
}

/** Makes the file through which it is seen. */
export function makeProgressFile(path: string): void {
  writeFileSync(path, new Uint8Array(HEADER + ROOM));
}

/** Answers how to tell that an execution begins. */
export function progressTeller(path: string): (input: Uint8Array) => void {
  const shared = Bun.mmap(path, { shared: true });
  const numbers = new DataView(shared.buffer, shared.byteOffset, HEADER);
  let count = 0;
  return (input) => {
    const kept = input.subarray(0, ROOM);
    shared.set(kept, HEADER);
    numbers.setUint32(4, kept.length);
    numbers.setUint32(0, ++count);
  };
}

/** Answers how to look. */
export function progressReader(path: string): () => Progress {
  const shared = Bun.mmap(path, { shared: true });
  const numbers = new DataView(shared.buffer, shared.byteOffset, HEADER);
  return () => ({
    count: numbers.getUint32(0),
    input: shared.slice(HEADER, HEADER + numbers.getUint32(4)),
  });
}
