import { describe, expect, test } from "bun:test";
import { booleanOf, numberOf, parseClamdConf, sizeOf, textOf } from "../../src/config/clamd-conf.ts";
import { BOOLEANS, DIRECTIVES, NUMBERS, SIZES, TEXTS } from "../../src/config/clamd-directives.ts";

/** Names that clamd.conf(5) of 1.4 describes and that are easy to forget, those of 1.5, and retired ones. */
const KNOWN = `AlertBrokenExecutables AlertBrokenMedia AlertEncrypted AlertEncryptedArchive AlertEncryptedDoc
  AlertExceedsMax AlertOLE2Macros AlertPartitionIntersection AlertPhishingCloak AlertPhishingSSLMismatch
  AllowAllMatchScan Bytecode BytecodeMode BytecodeSecurity BytecodeTimeout BytecodeUnsigned CacheSize
  CommandReadTimeout ConcurrentDatabaseReload CrossFilesystems DatabaseDirectory Debug DetectPUA DisableCache
  DisableCertCheck ExcludePUA ExcludePath ExitOnOOM ExtendedDetectionInfo FailIfCvdOlderThan FixStaleSocket
  FollowDirectorySymlinks FollowFileSymlinks ForceToDisk Foreground GenerateMetadataJson HeuristicAlerts
  HeuristicScanPrecedence IdleTimeout IncludePUA LeaveTemporaryFiles LocalSocket LocalSocketGroup
  LocalSocketMode LogClean LogFacility LogFile LogFileMaxSize LogFileUnlock LogRotate LogSyslog LogTime
  LogVerbose MaxConnectionQueueLength MaxDirectoryRecursion MaxEmbeddedPE MaxFileSize MaxFiles MaxHTMLNoTags
  MaxHTMLNormalize MaxIconsPE MaxPartitions MaxQueue MaxRecHWP3 MaxRecursion MaxScanSize MaxScanTime
  MaxScriptNormalize MaxThreads MaxZipTypeRcg OfficialDatabaseOnly OnAccessCurlTimeout OnAccessDenyOnError
  OnAccessDisableDDD OnAccessExcludePath OnAccessExcludeRootUID OnAccessExcludeUID OnAccessExcludeUname
  OnAccessExtraScanning OnAccessIncludePath OnAccessMaxFileSize OnAccessMaxThreads OnAccessMountPath
  OnAccessPrevention OnAccessRetryAttempts PCREMatchLimit PCREMaxFileSize PCRERecMatchLimit PhishingScanURLs
  PhishingSignatures PidFile PreludeAnalyzerName PreludeEnable ReadTimeout ScanArchive ScanELF ScanHTML
  ScanHWP3 ScanImage ScanImageFuzzyHash ScanMail ScanOLE2 ScanOneNote ScanPDF ScanPE ScanPartialMessages
  ScanSWF ScanXMLDOCS SelfCheck SendBufTimeout StreamMaxLength StreamMaxPort StreamMinPort StructuredCCOnly
  StructuredDataDetection StructuredMinCreditCardCount StructuredMinSSNCount StructuredSSNFormatNormal
  StructuredSSNFormatStripped TCPAddr TCPSocket TemporaryDirectory User VirusEvent
  CVDCertsDirectory EnableReloadCommand EnableShutdownCommand EnableStatsCommand EnableVersionCommand
  FIPSCryptoHashLimits JsonStoreHTMLURIs JsonStorePDFURIs
  AlgorithmicDetection AllowSupplementaryGroups ArchiveBlockEncrypted ArchiveBlockMax ArchiveLimitMemoryUsage
  BlockMax DetectBrokenExecutables MailFollowURLs MailMaxRecursion OLE2BlockMacros PartitionIntersection
  PhishingAlwaysBlockCloak PhishingAlwaysBlockSSLMismatch ScanOnAccess`.split(/\s+/);

test("all directives of clamd 1.4 and 1.5 are known", () => {
  expect(KNOWN.filter((name) => !DIRECTIVES.has(name))).toEqual([]);
});

describe("defaults are those of clamd 1.4", () => {
  const empty = parseClamdConf("", "clamd.conf");

  test("sizes", () => {
    const MIB = 1024 * 1024;
    expect(sizeOf(empty, "StreamMaxLength")).toBe(100 * MIB);
    expect(sizeOf(empty, "MaxScanSize")).toBe(400 * MIB);
    expect(sizeOf(empty, "MaxFileSize")).toBe(100 * MIB);
    expect(sizeOf(empty, "LogFileMaxSize")).toBe(MIB);
  });

  test("numbers", () => {
    expect(numberOf(empty, "MaxThreads")).toBe(10);
    expect(numberOf(empty, "ReadTimeout")).toBe(120);
    expect(numberOf(empty, "CommandReadTimeout")).toBe(30);
    expect(numberOf(empty, "MaxQueue")).toBe(100);
    expect(numberOf(empty, "MaxRecursion")).toBe(17);
    expect(numberOf(empty, "TCPSocket")).toBeNull();
  });

  test("switches and texts", () => {
    for (const name of ["FixStaleSocket", "PhishingSignatures", "ScanMail", "ScanArchive"] as const) {
      expect(booleanOf(empty, name)).toBeTrue();
    }
    for (const name of ["LogClean", "LogVerbose", "LogSyslog", "Foreground", "AlertExceedsMax"] as const) {
      expect(booleanOf(empty, name)).toBeFalse();
    }
    expect(textOf(empty, "LogFacility")).toBe("LOG_LOCAL6");
    expect(textOf(empty, "LocalSocket")).toBeNull();
    expect(textOf(empty, "DatabaseDirectory")).toBe("/var/lib/clamav");
  });
});

test("each directive is in one table only and takes a value of its kind", () => {
  const tables = [BOOLEANS, NUMBERS, SIZES, TEXTS].flatMap((table) => Object.keys(table));
  expect(new Set(tables).size).toBe(tables.length);
  for (const { name, kind, words } of DIRECTIVES.values()) {
    const value = {
      boolean: "yes",
      number: "25",
      size: "5M",
      text: words[0] ?? "text",
      retired: "what ever",
    }[kind];
    const conf = parseClamdConf(`${name} ${value}\n`, "clamd.conf");
    expect(conf.given.has(name)).toBe(kind !== "retired");
    expect(conf.warnings).toHaveLength(kind === "retired" ? 1 : 0);
  }
});
