/**
 * Memory whose address may be kept for later calls, filled with zeros. A typed array of up to 1000 bytes does not do:
 * the runtime (Bun 1.4.5) copies it to another place as soon as somebody wants its `buffer`, which a view of it does
 * and so does compiled code that reads it. The kernel would go on writing to the old place, which others have by then.
 * @param size bytes
 */
export function fixedMemory(size: number): Buffer {
  return Buffer.from(new ArrayBuffer(size));
}
