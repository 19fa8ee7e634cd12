import { expect, test } from "bun:test";
import { mtaTraces } from "../../src/child/mta-trace.ts";

test("below level 4 nothing is traced", () => {
  for (const level of [0, 1, 2, 3]) expect(mtaTraces(level, () => {})).toBeNull();
});

test("each connexion has its own number; texts are shown as UTF-8 or by bytes", () => {
  const lines: string[] = [];
  const open = mtaTraces(4, (level, text) => void lines.push(`${level} ${text}`));
  const [first, second] = [open?.(), open?.()];
  first?.heard({ kind: "helo", name: Buffer.from("ü").toString("latin1") });
  second?.heard({ kind: "helo", name: "\xff" });
  first?.closed();
  expect(lines).toEqual([
    `verbose mta ${process.pid}.1 < helo: ü`,
    `verbose mta ${process.pid}.2 < helo: \\xff`,
    `verbose mta ${process.pid}.1 closed`,
  ]);
});
