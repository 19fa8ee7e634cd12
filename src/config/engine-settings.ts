/**
 * What clamd.conf means to the built-in engine: libclamav's options, as clamd 1.4 sets them from the same file
 * (clamd's start-up and receive loop). Numbers are those of clamav.h.
 */
import { booleanOf, type ClamdConf, numberOf, sizeOf, textOf, textsOf } from "./clamd-conf.ts";
import type { BooleanDirective, NumberDirective, SizeDirective } from "./clamd-directives.ts";

/** All that the engine needs to know. Plain JSON. */
export interface EngineSettings {
  readonly databaseDirectory: string;
  /** Days; null: any age will do. */
  readonly oldestDatabase: number | null;
  readonly temporaryDirectory: string;
  /** Whether clamd.conf or the environment names it. */
  readonly temporaryGiven: boolean;
  readonly leaveTemporaryFiles: boolean;
  /** Threads that scan. */
  readonly threads: number;
  /** CL_DB_* for loading. */
  readonly databaseOptions: number;
  /** Engine fields by number, in the order in which they are set. */
  readonly numbers: readonly (readonly [field: number, value: number])[];
  /** CL_ENGINE_PUA_CATEGORIES, or null. */
  readonly puaCategories: string | null;
  /** struct cl_scan_options: general, parse, heuristic, mail, dev. */
  readonly scanOptions: readonly [number, number, number, number, number];
  /** Bytes of a message that comes as a stream; 0: no limit. */
  readonly streamMaxLength: number;
  /** Milliseconds after which a scan is given up, whatever libclamav does. */
  readonly scanDeadline: number;
  /** libclamav's own debug output. */
  readonly debug: boolean;
  /** Seconds between two looks at the database directory. */
  readonly monitor: number;
}

const DB = {
  PHISHING: 0x2,
  PHISHING_URLS: 0x8,
  PUA: 0x10,
  PUA_INCLUDE: 0x100,
  PUA_EXCLUDE: 0x200,
  OFFICIAL_ONLY: 0x1000,
  BYTECODE: 0x2000,
  BYTECODE_UNSIGNED: 0x8000,
} as const;

/** enum cl_engine_field. */
const FIELD = {
  MIN_CC_COUNT: 4,
  MIN_SSN_COUNT: 5,
  AC_ONLY: 10,
  AC_MAXDEPTH: 12,
  KEEPTMP: 14,
  BYTECODE_SECURITY: 15,
  BYTECODE_TIMEOUT: 16,
  BYTECODE_MODE: 17,
  FORCETODISK: 23,
  CACHE_SIZE: 24,
  DISABLE_CACHE: 25,
  DISABLE_PE_CERTS: 35,
} as const;

/** Limits that clamd sets when the file has them; libclamav's own defaults are the same. */
const LIMITS: readonly (readonly [NumberDirective | SizeDirective, field: number])[] = [
  ["MaxScanTime", 31],
  ["MaxScanSize", 0],
  ["MaxFileSize", 1],
  ["MaxRecursion", 2],
  ["MaxFiles", 3],
  ["MaxEmbeddedPE", 18],
  ["MaxHTMLNormalize", 19],
  ["MaxHTMLNoTags", 20],
  ["MaxScriptNormalize", 21],
  ["MaxZipTypeRcg", 22],
  ["MaxPartitions", 28],
  ["MaxIconsPE", 29],
  ["MaxRecHWP3", 30],
  ["PCREMatchLimit", 32],
  ["PCRERecMatchLimit", 33],
  ["PCREMaxFileSize", 34],
];

const GENERAL = { HEURISTICS: 0x4, HEURISTIC_PRECEDENCE: 0x8 } as const;

const PARSERS: readonly (readonly [BooleanDirective, bit: number])[] = [
  ["ScanArchive", 0x1],
  ["ScanELF", 0x2],
  ["ScanPDF", 0x4],
  ["ScanSWF", 0x8],
  ["ScanHWP3", 0x10],
  ["ScanXMLDOCS", 0x20],
  ["ScanMail", 0x40],
  ["ScanOLE2", 0x80],
  ["ScanHTML", 0x100],
  ["ScanPE", 0x200],
  ["ScanOneNote", 0x400],
  ["ScanImage", 0x800],
  ["ScanImageFuzzyHash", 0x1000],
];

const ALERT = {
  BROKEN: 0x2,
  EXCEEDS_MAX: 0x4,
  PHISHING_SSL_MISMATCH: 0x8,
  PHISHING_CLOAK: 0x10,
  MACROS: 0x20,
  ENCRYPTED_ARCHIVE: 0x40,
  ENCRYPTED_DOC: 0x80,
  PARTITION_INTXN: 0x100,
  STRUCTURED: 0x200,
  SSN_NORMAL: 0x400,
  SSN_STRIPPED: 0x800,
  CC_ONLY: 0x1000,
  BROKEN_MEDIA: 0x2000,
} as const;

const MAIL_PARTIAL_MESSAGE = 0x1;

/** libclamav's limit when clamd.conf has none, milliseconds. */
const LIBRARY_SCAN_TIME = 120_000;
/** What libclamav may take longer: it looks at its clock between files only. */
const SCAN_GRACE = 10_000;
/** Without MaxScanTime (0): no message has longer. */
const LONGEST_SCAN = 300_000;
const MOST_THREADS = 64;
const DEFAULT_THREADS = 10;
const DEFAULT_MONITOR = 300;

/** What of the surroundings settles the engine. */
export interface EngineSurroundings {
  readonly temporaryDirectory: string;
  readonly temporaryGiven: boolean;
  readonly cores: number;
  /** `--freshclam-monitor`, seconds. */
  readonly monitor: number | null;
  readonly debug: boolean;
}

/** The engine's settings from clamd.conf. */
export function resolveEngine(conf: ClamdConf, around: EngineSurroundings): EngineSettings {
  const maxScanTime = givenNumber(conf, "MaxScanTime") ?? LIBRARY_SCAN_TIME;
  return {
    databaseDirectory: textOf(conf, "DatabaseDirectory") ?? "/var/lib/clamav",
    oldestDatabase: numberOf(conf, "FailIfCvdOlderThan"),
    temporaryDirectory: around.temporaryDirectory,
    temporaryGiven: around.temporaryGiven,
    leaveTemporaryFiles: booleanOf(conf, "LeaveTemporaryFiles"),
    threads: threadsFor(conf, around.cores),
    databaseOptions: databaseOptions(conf),
    numbers: engineNumbers(conf),
    puaCategories: puaCategories(conf),
    scanOptions: [generalOptions(conf), parseOptions(conf), heuristicOptions(conf), mailOptions(conf), 0],
    streamMaxLength: sizeOf(conf, "StreamMaxLength"),
    scanDeadline: maxScanTime === 0 ? LONGEST_SCAN : maxScanTime + SCAN_GRACE,
    debug: around.debug,
    monitor: around.monitor ?? DEFAULT_MONITOR,
  };
}

/** As many as MaxThreads when the file has it; its default is more than few cores can use. */
function threadsFor(conf: ClamdConf, cores: number): number {
  const asked = givenNumber(conf, "MaxThreads");
  return Math.min(MOST_THREADS, asked ?? Math.min(DEFAULT_THREADS, Math.max(2, cores)));
}

function givenNumber(conf: ClamdConf, name: NumberDirective | SizeDirective): number | null {
  const value = conf.given.get(name)?.[0];
  return typeof value === "number" ? value : null;
}

function databaseOptions(conf: ClamdConf): number {
  const pua = booleanOf(conf, "DetectPUA");
  return bits([
    [booleanOf(conf, "PhishingSignatures"), DB.PHISHING],
    [booleanOf(conf, "PhishingScanURLs"), DB.PHISHING_URLS],
    [booleanOf(conf, "Bytecode"), DB.BYTECODE],
    [booleanOf(conf, "Bytecode") && booleanOf(conf, "BytecodeUnsigned"), DB.BYTECODE_UNSIGNED],
    [booleanOf(conf, "OfficialDatabaseOnly"), DB.OFFICIAL_ONLY],
    [pua, DB.PUA],
    [pua && textsOf(conf, "ExcludePUA").length > 0, DB.PUA_EXCLUDE],
    [pua && textsOf(conf, "IncludePUA").length > 0, DB.PUA_INCLUDE],
  ]);
}

/** libclamav's form of a list: `.A.B.` */
function puaCategories(conf: ClamdConf): string | null {
  if (!booleanOf(conf, "DetectPUA")) return null;
  const names = [...textsOf(conf, "ExcludePUA"), ...textsOf(conf, "IncludePUA")];
  return names.length === 0 ? null : `.${names.join(".")}.`;
}

function engineNumbers(conf: ClamdConf): [number, number][] {
  const numbers: [number, number][] = [];
  const set = (condition: boolean, field: number, value: number): void => {
    if (condition) numbers.push([field, value]);
  };
  for (const [name, field] of LIMITS) {
    const value = givenNumber(conf, name);
    if (value !== null) numbers.push([field, value]);
  }
  set(booleanOf(conf, "DisableCache"), FIELD.DISABLE_CACHE, 1);
  set((numberOf(conf, "CacheSize") ?? 0) > 0, FIELD.CACHE_SIZE, numberOf(conf, "CacheSize") ?? 0);
  set(booleanOf(conf, "LeaveTemporaryFiles"), FIELD.KEEPTMP, 1);
  set(booleanOf(conf, "ForceToDisk"), FIELD.FORCETODISK, 1);
  set(booleanOf(conf, "DisableCertCheck"), FIELD.DISABLE_PE_CERTS, 1);
  set(booleanOf(conf, "DevACOnly"), FIELD.AC_ONLY, 1);
  set((numberOf(conf, "DevACDepth") ?? 0) > 0, FIELD.AC_MAXDEPTH, numberOf(conf, "DevACDepth") ?? 0);
  if (booleanOf(conf, "Bytecode")) numbers.push(...bytecodeNumbers(conf));
  if (booleanOf(conf, "StructuredDataDetection")) {
    const cards = numberOf(conf, "StructuredMinCreditCardCount") ?? 0;
    const numbersOfUs = numberOf(conf, "StructuredMinSSNCount") ?? 0;
    set(cards > 0, FIELD.MIN_CC_COUNT, cards);
    set(numbersOfUs > 0, FIELD.MIN_SSN_COUNT, numbersOfUs);
  }
  return numbers;
}

/** enum bytecode_security and enum bytecode_mode. */
function bytecodeNumbers(conf: ClamdConf): [number, number][] {
  const modes = ["Auto", "ForceJIT", "ForceInterpreter", "Test"];
  const timeout = numberOf(conf, "BytecodeTimeout") ?? 0;
  return [
    [FIELD.BYTECODE_SECURITY, textOf(conf, "BytecodeSecurity") === "Paranoid" ? 2 : 1],
    [FIELD.BYTECODE_MODE, Math.max(0, modes.indexOf(textOf(conf, "BytecodeMode") ?? "Auto"))],
    ...(timeout > 0 ? [[FIELD.BYTECODE_TIMEOUT, timeout] as [number, number]] : []),
  ];
}

function generalOptions(conf: ClamdConf): number {
  return bits([
    [booleanOf(conf, "AlgorithmicDetection") && booleanOf(conf, "HeuristicAlerts"), GENERAL.HEURISTICS],
    [booleanOf(conf, "HeuristicScanPrecedence"), GENERAL.HEURISTIC_PRECEDENCE],
  ]);
}

function parseOptions(conf: ClamdConf): number {
  return bits(PARSERS.map(([name, bit]) => [booleanOf(conf, name), bit]));
}

function mailOptions(conf: ClamdConf): number {
  return bits([
    [booleanOf(conf, "ScanMail") && booleanOf(conf, "ScanPartialMessages"), MAIL_PARTIAL_MESSAGE],
  ]);
}

/** The alert on limits is always on: what a limit keeps from being scanned must not be called clean (decisions 3). */
function heuristicOptions(conf: ClamdConf): number {
  const on = (...names: BooleanDirective[]): boolean => names.some((name) => booleanOf(conf, name));
  const encrypted = on("ArchiveBlockEncrypted", "AlertEncrypted");
  const links = on("PhishingScanURLs");
  const structured = on("StructuredDataDetection");
  return bits([
    [true, ALERT.EXCEEDS_MAX],
    [on("ScanArchive") && (encrypted || on("AlertEncryptedArchive")), ALERT.ENCRYPTED_ARCHIVE],
    [encrypted || on("AlertEncryptedDoc"), ALERT.ENCRYPTED_DOC],
    [on("ScanPE", "ScanELF") && on("AlertBrokenExecutables"), ALERT.BROKEN],
    [on("AlertBrokenMedia"), ALERT.BROKEN_MEDIA],
    [on("ScanOLE2") && on("OLE2BlockMacros", "AlertOLE2Macros"), ALERT.MACROS],
    [links && on("PhishingAlwaysBlockCloak", "AlertPhishingCloak"), ALERT.PHISHING_CLOAK],
    [links && on("PhishingAlwaysBlockSSLMismatch", "AlertPhishingSSLMismatch"), ALERT.PHISHING_SSL_MISMATCH],
    [on("PartitionIntersection", "AlertPartitionIntersection"), ALERT.PARTITION_INTXN],
    [structured, ALERT.STRUCTURED],
    [structured && on("StructuredCCOnly"), ALERT.CC_ONLY],
    [structured && on("StructuredSSNFormatNormal"), ALERT.SSN_NORMAL],
    [structured && on("StructuredSSNFormatStripped"), ALERT.SSN_STRIPPED],
  ]);
}

function bits(rows: readonly (readonly [condition: boolean, bit: number])[]): number {
  return rows.reduce((all, [condition, bit]) => (condition ? all | bit : all), 0);
}
