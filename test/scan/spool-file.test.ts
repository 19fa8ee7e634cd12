import { describe, expect, test } from "bun:test";
import { closeSync, fstatSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SpoolFile } from "../../src/scan/spool-edge.ts";
import { openNameless, spoolFileOn } from "../../src/scan/spool-file.ts";
import { noise } from "./spool-lab.ts";

function withFolder(work: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "spool-file-"));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function openSpoolFile(folder: string): SpoolFile {
  return spoolFileOn(openNameless(folder), (fd) => {
    if (fd !== null) closeSync(fd);
  });
}

/** Descriptors of this process that lead to a file below `folder`. */
function openBelow(folder: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(folder) ? [target] : [];
    } catch {
      return [];
    }
  });
}

describe("a spool file", () => {
  test("has no name, and is gone when it is closed", () => {
    withFolder((folder) => {
      const file = openSpoolFile(folder);
      file.append(noise(5000));
      expect(readdirSync(folder)).toEqual([]);
      expect(openBelow(folder)).toHaveLength(1);
      file.close();
      expect(openBelow(folder)).toEqual([]);
    });
  });

  test("gives back what was appended, from any place, to its end", () => {
    withFolder((folder) => {
      const bytes = noise(300_000);
      const file = openSpoolFile(folder);
      for (let at = 0; at < bytes.length; at += 70_001) file.append(bytes.subarray(at, at + 70_001));
      file.append(new Uint8Array(0));
      const into = Buffer.alloc(65_536);
      for (const at of [0, 1, 69_999, 70_001, 234_464, 299_999]) {
        const count = file.read(into, at);
        expect(count).toBe(Math.min(into.length, bytes.length - at));
        expect(Buffer.compare(into.subarray(0, count), bytes.subarray(at, at + count))).toBe(0);
      }
      expect([file.read(into, 300_000), file.read(into, 999_999)]).toEqual([0, 0]);
      file.append(Buffer.from("end"));
      expect(file.read(into, 300_000)).toBe(3);
      file.close();
    });
  });

  test("two in one place are two", () => {
    withFolder((folder) => {
      const files = [openSpoolFile(folder), openSpoolFile(folder)];
      for (const [at, file] of files.entries()) file.append(Uint8Array.of(at + 1));
      const into = Buffer.alloc(1);
      expect(files.map((file) => file.read(into, 0) + (into[0] ?? 0))).toEqual([2, 3]);
      for (const file of files) file.close();
    });
  });

  test("is given back empty, for the next message", () => {
    withFolder((folder) => {
      const given: (number | null)[] = [];
      const file = spoolFileOn(openNameless(folder), (fd) => given.push(fd));
      file.append(noise(5000));
      file.close();
      const [fd] = given;
      expect(fd).toBeNumber();
      if (typeof fd !== "number") return;
      expect(fstatSync(fd).size).toBe(0);
      closeSync(fd);
    });
  });

  test("cannot be where there is no directory", () => {
    withFolder((folder) => {
      expect(() => openSpoolFile(join(folder, "none"))).toThrow("ENOENT");
    });
  });
});
