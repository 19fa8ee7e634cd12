import { expect, test } from "bun:test";
import type { CellResult, Turn } from "../../scripts/benching/rates.ts";
import { limitRatio, medianRatio, ratioTable } from "../../scripts/benching/ratios.ts";
import { columns, short } from "../../scripts/benching/table.ts";

const turn = (round: number, messages: number, cpu = 0.1): Turn => ({
  round,
  messages,
  seconds: 1,
  p50: 2,
  p99: 4,
  longest: 5,
  generatorSeconds: 0.05,
  wrong: 0,
  firstWrong: null,
  cpu,
  memory: 3 << 20,
});
const RESULT: CellResult = {
  cell: { size: "2k", concurrency: 8, perConnexion: 20, scanned: true },
  turns: {
    "clamd-stream": [turn(0, 100), turn(1, 100)],
    "clamd-fildes": [turn(0, 200), turn(1, 200)],
    "clamav-milter": [turn(0, 50), turn(1, 100)],
    "ours-unix": [turn(0, 100, 0.4), turn(1, 150, 0.2)],
  },
};

test("ratios are taken within a round", () => {
  const messages = (each: Turn): number => each.messages;
  expect(medianRatio(RESULT.turns["ours-unix"] ?? [], RESULT.turns["clamav-milter"] ?? [], messages)).toBe(
    1.75,
  );
  expect(medianRatio([turn(5, 1)], [turn(6, 1)], messages)).toBeNaN();
});

test("the limit is the better of the two ways without a filter", () => {
  expect(limitRatio(RESULT, "ours-unix")).toBe(0.625);
});

test("the table has a line for every target, with its ratios", () => {
  const [head = "", ...lines] = ratioTable([RESULT]);
  expect(head).toContain("CPU s/1000");
  expect(lines).toHaveLength(4);
  const ours = lines.find((line) => line.includes("ours-unix"))?.split(/ {2,}/);
  // Of 4 s and 1.33 s for 1,000 messages, the middle; of 2 s and 1 s for clamav-milter.
  expect(ours).toEqual([
    "2k x8",
    "ours-unix",
    "125",
    "1.75",
    "0.63",
    "2.00",
    "1.00",
    "4.00",
    "1.00",
    "2.67",
    "1.67",
    "3.00",
    "5.00",
    "0",
  ]);
});

test("over TCP the ratios are to clamav-milter over TCP", () => {
  const turns = {
    ...RESULT.turns,
    "clamav-milter-tcp": [turn(0, 20), turn(1, 40)],
    "ours-tcp": [turn(0, 80)],
  };
  const rateRatios = ratioTable([{ ...RESULT, turns }]).map((line) => {
    const [, name, , ratio] = line.split(/ {2,}/);
    return [name, ratio];
  });
  expect(rateRatios.find(([name]) => name === "ours-tcp")).toEqual(["ours-tcp", "4.00"]);
  expect(rateRatios.find(([name]) => name === "ours-unix")).toEqual(["ours-unix", "1.75"]);
});

test("columns are as wide as their widest cell", () => {
  expect(
    columns([
      ["a", "b"],
      ["long", "1"],
    ]),
  ).toEqual(["a     b", "long  1"]);
  expect([short(1234.5), short(12.34), short(0.125), short(Number.NaN)]).toEqual([
    "1235",
    "12.3",
    "0.13",
    "-",
  ]);
});
