import { closeSync, readFileSync } from "node:fs";
import { closeDescriptor, duplicate } from "./libc.ts";
import { memoryStream, replaceDescriptor } from "./memory-stream.ts";

const STANDARD_ERROR = 2;

/** What came of a piece of work, and what a library has written to standard error meanwhile. */
export interface Captured<T> {
  readonly outcome: { readonly value: T } | { readonly error: unknown };
  readonly text: string;
}

/** Does something while standard error goes into memory. Nothing else may run in the process meanwhile. */
export function capturingStandardError<T>(work: () => T): Captured<T> {
  const before = duplicate(STANDARD_ERROR);
  const memory = memoryStream();
  replaceDescriptor(memory, STANDARD_ERROR);
  let outcome: Captured<T>["outcome"];
  try {
    outcome = { value: work() };
  } catch (error) {
    outcome = { error };
  } finally {
    replaceDescriptor(before, STANDARD_ERROR);
    closeDescriptor(before);
  }
  const text = readWhole(memory);
  closeSync(memory);
  return { outcome, text };
}

function readWhole(memory: number): string {
  // Its position is at the end: a descriptor of its own begins at the start.
  return readFileSync(`/proc/self/fd/${memory}`, "utf8");
}
