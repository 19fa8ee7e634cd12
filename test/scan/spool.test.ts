import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { MemoryBudget } from "../../src/scan/memory-budget.ts";
import { Spool, SpoolError } from "../../src/scan/spool.ts";
import type { SpoolFile } from "../../src/scan/spool-edge.ts";
import { noise, spoolLab } from "./spool-lab.ts";

/** Where the blocks of 4, 16, 64, 64 and 64 kB end; after the last the message goes to a file. */
const BORDERS = [4096, 20_480, 86_016, 151_552, 217_088];
const SIZES = [
  0,
  1,
  27,
  ...BORDERS.flatMap((border) => [border - 1, border, border + 1]),
  300_000,
  1_000_000,
];
const NOISE = noise(1_000_000);

function contentOf(spool: Spool): Buffer {
  return Buffer.concat([...spool.pieces()]);
}

function expectSame(spool: Spool, expected: Uint8Array): void {
  expect(spool.size).toBe(expected.length);
  expect(Buffer.compare(contentOf(spool), expected)).toBe(0);
}

describe("what goes in comes out", () => {
  test.each(SIZES)("%d bytes in one piece, read twice", (size) => {
    const spool = new Spool(spoolLab().edge);
    const bytes = NOISE.subarray(0, size);
    spool.append(bytes);
    expectSame(spool, bytes);
    expectSame(spool, bytes);
    expect(spool.inFile).toBe(size > 217_088);
    for (const piece of spool.pieces()) expect(piece.length).toBeLessThanOrEqual(65_536);
  });

  test.each([1, 100, 4095, 4097, 65_535, 65_537])("in pieces of %d bytes", (step) => {
    const spool = new Spool(spoolLab().edge);
    const size = Math.min(NOISE.length, step * 400);
    for (let at = 0; at < size; at += step) spool.append(NOISE.subarray(at, Math.min(size, at + step)));
    expectSame(spool, NOISE.subarray(0, size));
  });

  test.each(SIZES.slice(0, -1))("text of %d bytes behind a line", (size) => {
    const spool = new Spool(spoolLab().edge);
    spool.appendText("line\r\n");
    spool.appendText(NOISE.toString("latin1", 0, size));
    expectSame(spool, Buffer.concat([Buffer.from("line\r\n"), NOISE.subarray(0, size)]));
  });

  test("reading may begin while another reading is under way, and after more was written", () => {
    const spool = new Spool(spoolLab().edge);
    spool.append(NOISE.subarray(0, 500_000));
    const half = spool.pieces();
    half.next();
    expectSame(spool, NOISE.subarray(0, 500_000));
    spool.append(NOISE.subarray(500_000, 600_000));
    expectSame(spool, NOISE.subarray(0, 600_000));
  });

  test("pieces do not change when further ones are asked for", () => {
    const lab = spoolLab();
    const spool = new Spool(lab.edge);
    spool.append(NOISE.subarray(0, 400_000));
    const kept = [...spool.pieces()];
    expect(Buffer.compare(Buffer.concat(kept), NOISE.subarray(0, 400_000))).toBe(0);
  });

  test("a disk that reads in small parts", () => {
    const lab = spoolLab();
    lab.readAtMost = 1000;
    const spool = new Spool(lab.edge);
    spool.append(NOISE.subarray(0, 300_000));
    expectSame(spool, NOISE.subarray(0, 300_000));
  });

  test("any pieces, with any memory", () => {
    const piece = fc.tuple(fc.boolean(), fc.oneof(fc.nat(200), fc.nat(70_000)));
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }),
        fc.constantFrom(0, 4096, 25_000, 270_000, 300_000, 1_000_000),
        (pieces, memory) => {
          const lab = spoolLab(memory);
          const spool = new Spool(lab.edge);
          let at = 0;
          for (const [asText, length] of pieces) {
            const bytes = NOISE.subarray(at, at + length);
            if (asText) spool.appendText(bytes.toString("latin1"));
            else spool.append(bytes);
            at += length;
            if (lab.budget.taken < 0 || lab.budget.taken > memory) return false;
          }
          const same = Buffer.compare(contentOf(spool), NOISE.subarray(0, at)) === 0 && spool.size === at;
          spool.close();
          const all = [...lab.files, ...lab.grown];
          return same && lab.budget.taken === 0 && all.every((file) => file.closed === 1);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("memory", () => {
  test("a small message takes one small block, a long one no more than a block beside its file", () => {
    const lab = spoolLab();
    const small = new Spool(lab.edge);
    small.append(NOISE.subarray(0, 100));
    expect([lab.budget.taken, lab.files.length]).toEqual([4096, 0]);
    const long = new Spool(lab.edge);
    for (let round = 0; round < 20; round++) long.append(NOISE);
    expect(long.size).toBe(20_000_000);
    expect(lab.budget.taken).toBe(4096 + 65_536);
    expect(lab.files.map((file) => file.closed)).toEqual([0]);
    small.close();
    long.close();
    expect([lab.budget.taken, lab.files[0]?.closed]).toEqual([0, 1]);
  });

  test("when all is taken, messages go to files at once, and are read back all the same", () => {
    const lab = spoolLab(20_480);
    const first = new Spool(lab.edge);
    first.append(NOISE.subarray(0, 20_480));
    const second = new Spool(lab.edge);
    second.append(NOISE.subarray(0, 10_000));
    expect([first.inFile, second.inFile, lab.budget.taken]).toEqual([false, true, 20_480]);
    expectSame(second, NOISE.subarray(0, 10_000));
    second.close();
    expect(lab.budget.taken).toBe(20_480);
    first.close();
    expect(lab.budget.taken).toBe(0);
  });

  test("a closed spool is empty, gives back nothing twice, and can be used anew", () => {
    const lab = spoolLab();
    const spool = new Spool(lab.edge);
    spool.append(NOISE.subarray(0, 300_000));
    spool.close();
    spool.close();
    expect([spool.size, contentOf(spool).length, lab.budget.taken, lab.grown[0]?.closed]).toEqual([
      0, 0, 0, 1,
    ]);
    spool.append(NOISE.subarray(0, 5000));
    expectSame(spool, NOISE.subarray(0, 5000));
  });

  test("a budget counts what is taken and refuses what is too much", () => {
    const budget = new MemoryBudget(10);
    expect([budget.take(6), budget.take(5), budget.take(4), budget.take(1), budget.taken]).toEqual([
      true,
      false,
      true,
      false,
      10,
    ]);
    budget.give(6);
    expect([budget.taken, budget.take(7), budget.take(6)]).toEqual([4, false, true]);
  });
});

describe("a disk that fails", () => {
  test.each([
    ["has no room at all", 0, "ENOSPC"],
    ["gets full in the first writing", 10_000, "ENOSPC"],
    ["gets full later", 400_000, "ENOSPC"],
    ["gives no file", -1, "EMFILE"],
  ])("%s: a SpoolError, and everything can be given back", (_name, disk, reason) => {
    const lab = spoolLab();
    lab.disk = disk;
    const spool = new Spool(lab.edge);
    let error: unknown;
    try {
      spool.append(NOISE);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(SpoolError);
    expect(error).toMatchObject({ code: "SPOOL_FULL" });
    expect(String(error)).toContain(`the message cannot be spooled: ${reason}`);
    spool.close();
    expect(lab.budget.taken).toBe(0);
    expect(lab.files.every((file) => file.closed === 1)).toBe(true);
  });

  test("a file that has become shorter is no message", () => {
    const lab = spoolLab();
    const spool = new Spool(lab.edge);
    spool.append(NOISE.subarray(0, 300_000));
    const [file] = lab.grown;
    if (file !== undefined) file.bytes = file.bytes.subarray(0, 100_000);
    expect(() => contentOf(spool)).toThrow(SpoolError);
  });
});

describe("a descriptor of the message", () => {
  test("is one of a file in memory, made once, and closed with the spool", () => {
    const lab = spoolLab();
    const spool = new Spool(lab.edge);
    spool.appendText("one,");
    spool.append(Buffer.from("two"));
    const fd = spool.descriptor();
    expect([spool.descriptor(), lab.memory.get(fd)?.toString(), lab.memory.size]).toEqual([fd, "one,two", 1]);
    spool.close();
    expect(lab.memory.size).toBe(0);
  });

  test("is the file's own when the message is in one, with what was still in memory", () => {
    const lab = spoolLab();
    const spool = new Spool(lab.edge);
    const bytes = noise(600_001);
    for (let at = 0; at < bytes.length; at += 7000) spool.append(bytes.subarray(at, at + 7000));
    expect(lab.grown[0]?.bytes.length).toBeLessThan(bytes.length);
    const at = spool.descriptor();
    expect(lab.grown[at]?.bytes.equals(bytes)).toBe(true);
    expect(Buffer.concat([...spool.pieces()]).equals(bytes)).toBe(true);
    spool.descriptor();
    expect([lab.grown[at]?.bytes.length, lab.memory.size, lab.files.length]).toEqual([bytes.length, 0, 0]);
    spool.close();
    expect(lab.grown[at]?.closed).toBe(1);
  });
});

describe("a file in memory", () => {
  test("becomes one on the disk when it is too long, and when the budget has no more", () => {
    for (const [room, length] of [
      [100_000_000, 17_000_000],
      [600_000, 700_000],
    ] as const) {
      const lab = spoolLab(room);
      const spool = new Spool(lab.edge);
      const bytes = noise(length);
      spool.append(bytes.subarray(0, 10));
      let at = 10;
      for (; at < Math.min(length - 250_000, 16_000_000); at += 60_000)
        spool.append(bytes.subarray(at, at + 60_000));
      expect([lab.grown.length, lab.files.length]).toEqual([1, 0]);
      spool.append(bytes.subarray(at));
      expect([lab.grown[0]?.closed, lab.files.length, lab.budget.taken]).toEqual([1, 1, 4096]);
      expectSame(spool, bytes);
      spool.close();
      expect([lab.files[0]?.closed, lab.budget.taken]).toEqual([1, 0]);
    }
  });

  test("is used over the budget while none on the disk is at hand, but not for ever", () => {
    const lab = spoolLab(10_000);
    let late = true;
    const spool = new Spool({ ...lab.edge, openFile: () => (late ? null : lab.edge.openFile()) });
    const bytes = noise(3_000_000);
    for (let at = 0; at < 2_000_000; at += 50_000) spool.append(bytes.subarray(at, at + 50_000));
    expect(lab.files.length).toBe(0);
    late = false;
    spool.append(bytes.subarray(2_000_000));
    expect([lab.grown[0]?.closed, lab.files.length]).toEqual([1, 1]);
    expectSame(spool, bytes);
    late = true;
    const other = new Spool({ ...lab.edge, openFile: () => null });
    other.append(bytes);
    expect(() => other.append(bytes)).toThrow("no spool file came in time");
    for (const each of [spool, other]) each.close();
    expect(lab.budget.taken).toBe(0);
  });
});

test("long pieces go to the file without being held, between short ones, and the blocks serve the next message", () => {
  const lab = spoolLab();
  for (let round = 0; round < 3; round++) {
    const spool = new Spool(lab.edge);
    const parts = [10, 100_000, 200_000, 20, 9000, 65_535, 30, 300_000].map(noise);
    for (const part of parts) spool.append(part);
    expect(spool.size).toBe(parts.reduce((sum, part) => sum + part.length, 0));
    expect(Buffer.concat([...spool.pieces()]).equals(Buffer.concat(parts))).toBe(true);
    const held = lab.budget.taken;
    expect(held).toBe(4096 + 3 * 262_144);
    spool.close();
  }
  expect(lab.budget.taken).toBe(0);
});

test("without files in memory it is one on the disk; of what is over there is no descriptor", () => {
  const lab = spoolLab();
  const refused = (): never => {
    throw new Error("EMFILE");
  };
  const spool = new Spool({ ...lab.edge, openMemory: refused });
  const bytes = noise(500_000);
  for (let at = 0; at < bytes.length; at += 50_000) spool.append(bytes.subarray(at, at + 50_000));
  expect(Buffer.concat([...spool.pieces()]).equals(bytes)).toBe(true);
  expect([lab.files.length, lab.grown.length]).toEqual([1, 0]);
  spool.close();
  expect([lab.budget.taken, lab.files[0]?.closed]).toEqual([0, 1]);
  expect(() => spool.descriptor()).toThrow(SpoolError);
});

test("a disk that is full for a long piece is a spool that is full", () => {
  const lab = spoolLab(4096);
  const spool = new Spool(lab.edge);
  spool.append(noise(250_000));
  spool.append(noise(100_000));
  lab.disk = 50_000;
  expect(() => spool.append(noise(60_000))).toThrow("no space left on device");
  spool.close();
  expect(lab.budget.taken).toBe(0);
});

describe("a message that is to be streamed", () => {
  test("stays in blocks, and its pieces are the blocks themselves", () => {
    const lab = spoolLab(100_000_000, false);
    const spool = new Spool(lab.edge);
    const bytes = noise(15_000_000);
    for (let at = 0; at < bytes.length; at += 65_535) spool.append(bytes.subarray(at, at + 65_535));
    expect([lab.grown.length, lab.files.length, spool.inFile]).toEqual([0, 0, false]);
    expectSame(spool, bytes);
    // Few calls to send it, and little room that it does not need.
    const lengths = [...spool.pieces()].map((piece) => piece.length);
    expect([Math.max(...lengths), lengths.length]).toEqual([262_144, 63]);
    expect(lab.budget.taken).toBeLessThan(15_000_000 + 262_144);
    spool.close();
    expect(lab.budget.taken).toBe(0);
  });

  test.each([
    ["when it is too long", 100_000_000, 20_000_000],
    ["when the budget has no more", 1_000_000, 3_000_000],
  ])("goes to the disk %s, and its blocks are free for others", (_name, room, length) => {
    const lab = spoolLab(room, false);
    const spool = new Spool(lab.edge);
    const bytes = noise(length);
    for (let at = 0; at < bytes.length; at += 60_000) spool.append(bytes.subarray(at, at + 60_000));
    expect([lab.grown.length, lab.files.length]).toEqual([0, 1]);
    expect(lab.budget.taken).toBeLessThanOrEqual(65_536);
    expectSame(spool, bytes);
    spool.close();
    expect([lab.files[0]?.closed, lab.budget.taken]).toEqual([1, 0]);
  });

  test("waits in blocks over the budget for its file, but not for ever; a small one needs none", () => {
    const lab = spoolLab(100_000, false);
    let late = true;
    const edge = { ...lab.edge, openFile: () => (late ? null : lab.edge.openFile()) };
    const spool = new Spool(edge);
    const bytes = noise(6_000_000);
    for (let at = 0; at < 3_000_000; at += 50_000) spool.append(bytes.subarray(at, at + 50_000));
    expect([lab.files.length, spool.inFile]).toEqual([0, false]);
    const small = new Spool(edge);
    small.appendText("small");
    late = false;
    small.appendText("er");
    expect(lab.files.length).toBe(0);
    spool.append(bytes.subarray(3_000_000));
    expect([lab.files.length, spool.inFile]).toEqual([1, true]);
    expectSame(spool, bytes);
    late = true;
    const other = new Spool(edge);
    expect(() => other.append(bytes)).toThrow("no spool file came in time");
    for (const each of [spool, small, other]) each.close();
    expect(lab.budget.taken).toBe(0);
  });

  test("has a descriptor all the same, for whoever keeps a copy", () => {
    const lab = spoolLab(100_000_000, false);
    const spool = new Spool(lab.edge);
    const bytes = noise(200_000);
    spool.append(bytes);
    expect(lab.memory.get(spool.descriptor())?.equals(bytes)).toBe(true);
    spool.close();
    expect([lab.memory.size, lab.files.length]).toEqual([0, 0]);
  });

  test("and is long goes to the disk for that: no second copy of it is in memory", () => {
    const lab = spoolLab(100_000_000, false);
    const spool = new Spool(lab.edge);
    const bytes = noise(500_000);
    spool.append(bytes);
    const at = spool.descriptor();
    expect([lab.files[at]?.bytes.equals(bytes), lab.memory.size]).toEqual([true, 0]);
    expect(lab.budget.taken).toBeLessThanOrEqual(65_536);
    spool.close();
    expect(lab.files[at]?.closed).toBe(1);
  });

  test("and is long is copied in memory all the same when the disk is full, or has no file", () => {
    for (const refuse of ["full", "late", "none"] as const) {
      const lab = spoolLab(100_000_000, false);
      const openFile = (): SpoolFile | null => {
        if (refuse === "none") throw new Error("EMFILE");
        return refuse === "late" ? null : lab.edge.openFile();
      };
      const spool = new Spool({ ...lab.edge, openFile });
      const bytes = noise(500_000);
      spool.append(bytes);
      lab.disk = 100_000;
      expect(lab.memory.get(spool.descriptor())?.equals(bytes)).toBe(true);
      expectSame(spool, bytes);
      spool.close();
      expect([lab.budget.taken, lab.memory.size]).toEqual([0, 0]);
      for (const file of lab.files) expect(file.closed).toBe(1);
    }
  });
});
