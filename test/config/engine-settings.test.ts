import { describe, expect, test } from "bun:test";
import { parseClamdConf } from "../../src/config/clamd-conf.ts";
import { type EngineSettings, resolveEngine } from "../../src/config/engine-settings.ts";

function engine(conf = "", cores = 2): EngineSettings {
  const around = { temporaryDirectory: "/t", temporaryGiven: true, cores, monitor: null, debug: false };
  return resolveEngine(parseClamdConf(conf, "clamd.conf"), around);
}

const [GENERAL, PARSE, HEURISTIC, MAIL] = [0, 1, 2, 3] as const;
const EXCEEDS_MAX = 0x4;

test("clamd's defaults; limits are always told", () => {
  expect(engine()).toMatchObject({
    databaseDirectory: "/var/lib/clamav",
    databaseOptions: 0x2 | 0x8 | 0x2000,
    scanOptions: [0x4, 0x1fff, EXCEEDS_MAX, 0, 0],
    puaCategories: null,
    monitor: 300,
    scanDeadline: 130_000,
  });
  expect(engine("AlertExceedsMax no").scanOptions[HEURISTIC]).toBe(EXCEEDS_MAX);
});

test("threads: as many as MaxThreads, or as the cores can use", () => {
  expect([engine("", 1).threads, engine("", 4).threads, engine("", 64).threads]).toEqual([2, 4, 10]);
  expect([engine("MaxThreads 7").threads, engine("MaxThreads 500").threads]).toEqual([7, 64]);
});

describe("scanning switches", () => {
  test.each([
    ["ScanArchive no", PARSE, 0x1ffe],
    ["ScanMail no\nScanPartialMessages yes", PARSE, 0x1fbf],
    ["ScanMail no\nScanPartialMessages yes", MAIL, 0],
    ["ScanPartialMessages yes", MAIL, 1],
    ["ScanImageFuzzyHash no", PARSE, 0xfff],
    ["HeuristicAlerts no", GENERAL, 0],
    ["AlgorithmicDetection no", GENERAL, 0],
    ["HeuristicScanPrecedence yes", GENERAL, 0xc],
    ["AlertEncrypted yes", HEURISTIC, EXCEEDS_MAX | 0xc0],
    ["AlertEncrypted yes\nScanArchive no", HEURISTIC, EXCEEDS_MAX | 0x80],
    ["AlertEncryptedArchive yes", HEURISTIC, EXCEEDS_MAX | 0x40],
    ["AlertBrokenExecutables yes\nScanPE no\nScanELF no", HEURISTIC, EXCEEDS_MAX],
    ["AlertOLE2Macros yes", HEURISTIC, EXCEEDS_MAX | 0x20],
    ["AlertOLE2Macros yes\nScanOLE2 no", HEURISTIC, EXCEEDS_MAX],
    ["AlertPhishingCloak yes\nPhishingScanURLs no", HEURISTIC, EXCEEDS_MAX],
    ["AlertPhishingCloak yes\nAlertPhishingSSLMismatch yes", HEURISTIC, EXCEEDS_MAX | 0x18],
    ["StructuredSSNFormatStripped yes", HEURISTIC, EXCEEDS_MAX],
    ["StructuredDataDetection yes\nStructuredCCOnly yes", HEURISTIC, EXCEEDS_MAX | 0x1600],
  ] as const)("%j", (conf, place, bits) => {
    expect(engine(conf).scanOptions[place]).toBe(bits);
  });
});

test("limits are set when the file has them, zero too", () => {
  const { numbers } = engine("MaxScanSize 10M\nMaxFiles 0\nMaxScanTime 5000");
  expect(numbers).toContainEqual([0, 10 * 1024 * 1024]);
  expect(numbers).toContainEqual([3, 0]);
  expect(numbers).toContainEqual([31, 5000]);
  expect(numbers.some(([field]) => field === 1)).toBe(false);
  expect(engine("MaxScanTime 5000").scanDeadline).toBe(15_000);
  expect(engine("MaxScanTime 0").scanDeadline).toBe(300_000);
});

test("potentially unwanted applications, by category", () => {
  expect(engine("DetectPUA yes\nExcludePUA NetTool\nExcludePUA PWTool")).toMatchObject({
    databaseOptions: 0x2 | 0x8 | 0x2000 | 0x10 | 0x200,
    puaCategories: ".NetTool.PWTool.",
  });
  expect(engine("DetectPUA yes\nIncludePUA Spy").databaseOptions & 0x310).toBe(0x110);
  expect(engine("ExcludePUA NetTool").puaCategories).toBeNull();
});

test("what is loaded", () => {
  expect(engine("PhishingSignatures no\nPhishingScanURLs no\nBytecode no").databaseOptions).toBe(0);
  expect(engine("Bytecode no\nBytecodeUnsigned yes").databaseOptions).toBe(0xa);
  expect(engine("OfficialDatabaseOnly yes").databaseOptions & 0x1000).toBe(0x1000);
  expect(engine("FailIfCvdOlderThan 7").oldestDatabase).toBe(7);
});

test("bytecode, cache and the rest", () => {
  const { numbers } = engine(
    "BytecodeSecurity Paranoid\nBytecodeMode ForceInterpreter\nDisableCache yes\nForceToDisk yes",
  );
  expect(numbers).toContainEqual([15, 2]);
  expect(numbers).toContainEqual([17, 2]);
  expect(numbers).toContainEqual([25, 1]);
  expect(numbers).toContainEqual([23, 1]);
  expect(numbers).toContainEqual([16, 10_000]);
});
