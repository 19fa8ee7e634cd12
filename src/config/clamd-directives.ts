/**
 * Every directive that clamd 1.4 and 1.5 know in clamd.conf, with the defaults of clamd 1.4 (decisions 2).
 * Names, types and defaults were compared with `clamconf -g clamd.conf` and the parser of clamd 1.4.6.
 */

import { FACILITIES } from "../log/facilities.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Switches and their defaults. */
export const BOOLEANS = {
  AlertBrokenExecutables: false,
  AlertBrokenMedia: false,
  AlertEncrypted: false,
  AlertEncryptedArchive: false,
  AlertEncryptedDoc: false,
  AlertExceedsMax: false,
  AlertOLE2Macros: false,
  AlertPartitionIntersection: false,
  AlertPhishingCloak: false,
  AlertPhishingSSLMismatch: false,
  AlgorithmicDetection: true,
  AllowAllMatchScan: true,
  /** Gone from clamd, which always does it now; a file that still has it means it (decisions 2). */
  AllowSupplementaryGroups: true,
  ArchiveBlockEncrypted: false,
  BlockMax: false,
  Bytecode: true,
  BytecodeUnsigned: false,
  ConcurrentDatabaseReload: true,
  CrossFilesystems: true,
  Debug: false,
  DetectPUA: false,
  DevACOnly: false,
  DevLiblog: false,
  DevPerformance: false,
  DisableCache: false,
  DisableCertCheck: false,
  EnableReloadCommand: true,
  EnableSelfCheckCommand: true,
  EnableShutdownCommand: true,
  EnableStatsCommand: true,
  EnableVersionCommand: true,
  ExitOnOOM: false,
  ExtendedDetectionInfo: false,
  FIPSCryptoHashLimits: false,
  FixStaleSocket: true,
  FollowDirectorySymlinks: false,
  FollowFileSymlinks: false,
  ForceToDisk: false,
  Foreground: false,
  GenerateMetadataJson: false,
  HeuristicAlerts: true,
  HeuristicScanPrecedence: false,
  JsonStoreExtraHashes: false,
  JsonStoreHTMLURIs: true,
  JsonStorePDFURIs: true,
  LeaveTemporaryFiles: false,
  LogClean: false,
  LogFileUnlock: false,
  LogRotate: false,
  LogSyslog: false,
  LogTime: false,
  LogVerbose: false,
  OLE2BlockMacros: false,
  OfficialDatabaseOnly: false,
  OnAccessDenyOnError: false,
  OnAccessDisableDDD: false,
  OnAccessExcludeRootUID: false,
  OnAccessExtraScanning: false,
  OnAccessPrevention: false,
  PartitionIntersection: false,
  PhishingAlwaysBlockCloak: false,
  PhishingAlwaysBlockSSLMismatch: false,
  PhishingScanURLs: true,
  PhishingSignatures: true,
  PreludeEnable: false,
  ScanArchive: true,
  ScanELF: true,
  ScanHTML: true,
  ScanHWP3: true,
  ScanImage: true,
  ScanImageFuzzyHash: true,
  ScanMail: true,
  ScanOLE2: true,
  ScanOneNote: true,
  ScanPDF: true,
  ScanPE: true,
  ScanPartialMessages: false,
  ScanSWF: true,
  ScanXMLDOCS: true,
  StructuredCCOnly: false,
  StructuredDataDetection: false,
  StructuredSSNFormatNormal: true,
  StructuredSSNFormatStripped: false,
} as const;

/**
 * Numbers: default (null: none) and, where clamd or we cannot live with any, bounds. Units as in
 * clamd.conf(5): seconds for ReadTimeout, CommandReadTimeout, IdleTimeout and SelfCheck, milliseconds for
 * SendBufTimeout, BytecodeTimeout and MaxScanTime. 0 leaves TCPSocket unset, as in clamd.
 */
export const NUMBERS = {
  BytecodeTimeout: { default: 10_000 },
  CacheSize: { default: 65_536 },
  CommandReadTimeout: { default: 30 },
  DevACDepth: { default: null },
  FailIfCvdOlderThan: { default: null },
  IdleTimeout: { default: 30 },
  MaxConnectionQueueLength: { default: 200 },
  MaxDirectoryRecursion: { default: 15 },
  MaxFiles: { default: 10_000 },
  MaxIconsPE: { default: 100 },
  MaxPartitions: { default: 50 },
  MaxQueue: { default: 100 },
  MaxRecHWP3: { default: 16 },
  MaxRecursion: { default: 17 },
  MaxScanTime: { default: 0 },
  MaxThreads: { default: 10, least: 1 },
  OnAccessCurlTimeout: { default: 5_000 },
  OnAccessExcludeUID: { default: null, several: true },
  OnAccessMaxThreads: { default: 5 },
  OnAccessRetryAttempts: { default: 0 },
  PCREMatchLimit: { default: 100_000 },
  PCRERecMatchLimit: { default: 2_000 },
  ReadTimeout: { default: 120 },
  SelfCheck: { default: 600 },
  SendBufTimeout: { default: 500 },
  StreamMaxPort: { default: 2_048, most: 65_535 },
  StreamMinPort: { default: 1_024, most: 65_535 },
  StructuredMinCreditCardCount: { default: 3 },
  StructuredMinSSNCount: { default: 3 },
  TCPSocket: { default: null, most: 65_535 },
} as const;

/** Sizes in bytes and their defaults. 0 means no limit where clamd.conf(5) says so. */
export const SIZES = {
  LogFileMaxSize: MIB,
  MaxEmbeddedPE: 40 * MIB,
  MaxFileSize: 100 * MIB,
  MaxHTMLNormalize: 40 * MIB,
  MaxHTMLNoTags: 8 * MIB,
  MaxScanSize: 400 * MIB,
  MaxScriptNormalize: 20 * MIB,
  MaxZipTypeRcg: MIB,
  OnAccessMaxFileSize: 5 * MIB,
  PCREMaxFileSize: 100 * MIB,
  StreamMaxLength: 100 * MIB,
} as const;

/** Texts: default (null: none), the words allowed (any case, as clamd takes them), or several lines. */
export const TEXTS = {
  BytecodeMode: { default: "Auto", words: ["Auto", "ForceJIT", "ForceInterpreter", "Test"] },
  BytecodeSecurity: { default: "TrustSigned", words: ["TrustSigned", "Paranoid"] },
  CVDCertsDirectory: { default: null },
  DatabaseDirectory: { default: "/var/lib/clamav" },
  ExcludePUA: { default: null, several: true },
  ExcludePath: { default: null, several: true },
  IncludePUA: { default: null, several: true },
  LocalSocket: { default: null },
  LocalSocketGroup: { default: null },
  LocalSocketMode: { default: null },
  LogFacility: { default: "LOG_LOCAL6", words: [...FACILITIES.keys()] },
  LogFile: { default: null },
  OnAccessExcludePath: { default: null, several: true },
  OnAccessExcludeUname: { default: null, several: true },
  OnAccessIncludePath: { default: null, several: true },
  OnAccessMountPath: { default: null, several: true },
  PidFile: { default: null },
  PreludeAnalyzerName: { default: null },
  TCPAddr: { default: null, several: true },
  TemporaryDirectory: { default: null },
  User: { default: null },
  VirusEvent: { default: null },
} as const;

/**
 * Directives that are no longer heeded: those that today's clamd only warns about, and those that older
 * versions knew. Whatever their value is, they are skipped with a warning.
 */
export const RETIRED: ReadonlySet<string> = new Set([
  "ArchiveBlockMax",
  "ArchiveLimitMemoryUsage",
  "ArchiveMaxCompressionRatio",
  "ArchiveMaxFiles",
  "ArchiveMaxRecursion",
  "ArchiveMaxScanSize",
  "ClamukoExcludePath",
  "ClamukoExcludeUID",
  "ClamukoIncludePath",
  "ClamukoMaxFileSize",
  "ClamukoScanOnAccess",
  "ClamukoScanOnClose",
  "ClamukoScanOnExec",
  "ClamukoScanOnOpen",
  "ClamukoScannerCount",
  "DetectBrokenExecutables",
  "MailFollowURLs",
  "MailMaxRecursion",
  "NodalCoreAcceleration",
  "PhishingRestrictedScan",
  "ScanOnAccess",
  "StatsEnabled",
  "StatsHostID",
  "StatsPEDisabled",
  "StatsTimeout",
]);

export type BooleanDirective = keyof typeof BOOLEANS;
export type NumberDirective = keyof typeof NUMBERS;
export type SizeDirective = keyof typeof SIZES;
export type TextDirective = keyof typeof TEXTS;

/** A row in the form that the parser reads. */
export interface Directive {
  readonly name: string;
  readonly kind: "boolean" | "number" | "size" | "text" | "retired";
  /** Whether each line adds a value; otherwise the first line counts, as in clamd. */
  readonly several: boolean;
  readonly least: number;
  readonly most: number;
  readonly words: readonly string[];
}

/** clamd keeps plain numbers in a C int. */
const MAX_NUMBER = 2 ** 31 - 1;

interface Extra {
  readonly default?: unknown;
  readonly several?: boolean;
  readonly least?: number;
  readonly most?: number;
  readonly words?: readonly string[];
}

function row(name: string, kind: Directive["kind"], extra: Extra = {}): [string, Directive] {
  const { several = false, least = 0, most = MAX_NUMBER, words = [] } = extra;
  return [name, { name, kind, several, least, most, words }];
}

/** All directives by name. Names are matched exactly, as clamd does. */
export const DIRECTIVES: ReadonlyMap<string, Directive> = new Map([
  ...Object.keys(BOOLEANS).map((name) => row(name, "boolean")),
  ...Object.entries(NUMBERS).map(([name, extra]) => row(name, "number", extra)),
  ...Object.keys(SIZES).map((name) => row(name, "size")),
  ...Object.entries(TEXTS).map(([name, extra]) => row(name, "text", extra)),
  ...[...RETIRED].map((name) => row(name, "retired")),
]);
