import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { StartError } from "../../src/cli/start-error.ts";
import { booleanOf, numberOf, parseClamdConf, sizeOf, textOf } from "../../src/config/clamd-conf.ts";
import { startFailure } from "../cli/start-failure.ts";

const FILE = "/etc/clamav/clamd.conf";

function read(text: string) {
  return parseClamdConf(text, FILE);
}

/** The usual lines of a distribution's file. */
const DISTRIBUTION = `# Set up by the package. Edit with care.
# Comments may mention Example, too.
LocalSocket /var/run/clamav/clamd.ctl
FixStaleSocket true
LocalSocketGroup clamav
LocalSocketMode 666
User clamav
ScanMail true
ScanArchive true
ArchiveBlockEncrypted false
MaxDirectoryRecursion 15
FollowDirectorySymlinks false
FollowFileSymlinks false
ReadTimeout 180
MaxThreads 12
MaxConnectionQueueLength 15
LogSyslog false
LogRotate true
LogFacility LOG_LOCAL6
LogClean false
LogVerbose false
PreludeEnable no
PreludeAnalyzerName ClamAV
DatabaseDirectory /var/lib/clamav
OfficialDatabaseOnly false
SelfCheck 3600
Foreground false
Debug false
ScanPE true
MaxEmbeddedPE 10M
ScanOLE2 true
ScanPDF true
ScanHTML true
MaxHTMLNormalize 10M
MaxHTMLNoTags 2M
MaxScriptNormalize 5M
MaxZipTypeRcg 1M
ScanSWF true
ExitOnOOM false
LeaveTemporaryFiles false
AlgorithmicDetection true
ScanELF true
IdleTimeout 30
CrossFilesystems true
PhishingSignatures true
PhishingScanURLs true
PhishingAlwaysBlockSSLMismatch false
PhishingAlwaysBlockCloak false
PartitionIntersection false
DetectPUA false
ScanPartialMessages false
HeuristicScanPrecedence false
StructuredDataDetection false
CommandReadTimeout 30
SendBufTimeout 200
MaxQueue 100
ExtendedDetectionInfo true
OLE2BlockMacros false
AllowAllMatchScan true
ForceToDisk false
DisableCertCheck false
DisableCache false
MaxScanTime 120000
MaxScanSize 100M
MaxFileSize 25M
MaxRecursion 16
MaxFiles 10000
MaxPartitions 50
MaxIconsPE 100
PCREMatchLimit 10000
PCRERecMatchLimit 5000
PCREMaxFileSize 25M
ScanXMLDOCS true
ScanHWP3 true
MaxRecHWP3 16
StreamMaxLength 25M
LogFile /var/log/clamav/clamav.log
LogTime true
LogFileUnlock false
LogFileMaxSize 0
Bytecode true
BytecodeSecurity TrustSigned
BytecodeTimeout 60000
OnAccessMaxFileSize 5M
`;

test("a distribution's file is read without a warning", () => {
  const conf = read(DISTRIBUTION);
  expect(conf.file).toBe(FILE);
  expect(conf.warnings).toEqual([]);
  expect(textOf(conf, "LocalSocket")).toBe("/var/run/clamav/clamd.ctl");
  expect(textOf(conf, "User")).toBe("clamav");
  expect(numberOf(conf, "ReadTimeout")).toBe(180);
  expect(numberOf(conf, "MaxThreads")).toBe(12);
  expect(sizeOf(conf, "StreamMaxLength")).toBe(25 * 1024 * 1024);
  expect(sizeOf(conf, "LogFileMaxSize")).toBe(0);
  expect(booleanOf(conf, "LogTime")).toBeTrue();
});

describe("lines", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["tabs between", "LogFile\t\t/a", "/a"],
    ["blanks in front and behind", "  \tLogFile /a \t ", "/a"],
    ["CR LF", "LogFile /a\r\nLogTime yes\r\n", "/a"],
    ["no line end", "LogTime yes\nLogFile /a", "/a"],
    ["a byte order mark", "\uFEFFLogFile /a", "/a"],
    ["comments and blank lines", "# LogFile /x\n\n \t\n\t# LogFile /y\nLogFile /a\n#LogFile /z", "/a"],
    ["double quotes", 'LogFile "/a b"', "/a b"],
    ["something behind the quotes", 'LogFile "/a" # b', "/a"],
    ["a text with blanks", "LogFile /a b c", "/a b c"],
    ["a text with #", "LogFile /a #b", "/a #b"],
    ["single quotes are part of the text", "LogFile '/a'", "'/a'"],
  ];
  test.each(cases)("%s", (_, text, expected) => {
    const conf = read(text);
    expect(textOf(conf, "LogFile")).toBe(expected);
    expect(conf.warnings).toEqual([]);
  });

  test("the first of several lines counts, and a warning tells of the others", () => {
    const conf = read("LocalSocket /a\n\nLocalSocket /b\nMaxThreads 3\nMaxThreads 4\n");
    expect(textOf(conf, "LocalSocket")).toBe("/a");
    expect(numberOf(conf, "MaxThreads")).toBe(3);
    expect(conf.warnings).toEqual([
      `${FILE}:3: LocalSocket: ignored, line 1 has set it already`,
      `${FILE}:5: MaxThreads: ignored, line 4 has set it already`,
    ]);
  });

  test("some directives add up", () => {
    const conf = read("TCPAddr 127.0.0.1\nTCPAddr ::1\nOnAccessExcludeUID 1\nOnAccessExcludeUID 2\n");
    expect(conf.given.get("TCPAddr")).toEqual(["127.0.0.1", "::1"]);
    expect(conf.given.get("OnAccessExcludeUID")).toEqual([1, 2]);
    expect(conf.warnings).toEqual([]);
  });

  test("retired directives are skipped with a warning, whatever their value", () => {
    const conf = read("ArchiveBlockMax yes\nDetectBrokenExecutables maybe\nArchiveMaxFiles x\n");
    expect(conf.warnings).toEqual([
      `${FILE}:1: ArchiveBlockMax: no longer used, ignored`,
      `${FILE}:2: DetectBrokenExecutables: no longer used, ignored`,
      `${FILE}:3: ArchiveMaxFiles: no longer used, ignored`,
    ]);
  });
});

describe("values", () => {
  const switches: readonly (readonly [string, boolean])[] = [
    ["yes", true],
    ["YES", true],
    ["True", true],
    ["1", true],
    ['"yes"', true],
    ["yes # remark", true],
    ["yes#remark", true],
    ["no", false],
    ["False", false],
    ["0", false],
  ];
  test.each(switches)("FixStaleSocket %s", (word, expected) => {
    expect(booleanOf(read(`FixStaleSocket ${word}`), "FixStaleSocket")).toBe(expected);
  });

  const sizes: readonly (readonly [string, number])[] = [
    ["0", 0],
    ["1000", 1000],
    ["1k", 1024],
    ["1K", 1024],
    ["25M", 26_214_400],
    ["25m # remark", 26_214_400],
    ["5G", 5_368_709_120],
    ["99999999999999999999", Number.MAX_SAFE_INTEGER],
    ["9999999999G", Number.MAX_SAFE_INTEGER],
  ];
  test.each(sizes)("StreamMaxLength %s", (word, expected) => {
    expect(sizeOf(read(`StreamMaxLength ${word}`), "StreamMaxLength")).toBe(expected);
  });

  test("numbers", () => {
    expect(numberOf(read("ReadTimeout 0"), "ReadTimeout")).toBe(0);
    expect(numberOf(read("ReadTimeout 007 # remark"), "ReadTimeout")).toBe(7);
    expect(numberOf(read("TCPSocket 3310"), "TCPSocket")).toBe(3310);
    expect(numberOf(read("TCPSocket 0"), "TCPSocket")).toBeNull();
  });

  test("words in any case", () => {
    expect(textOf(read("BytecodeSecurity paranoid"), "BytecodeSecurity")).toBe("Paranoid");
  });
});

describe("errors name file, line and directive", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["LogTime on", ':1: LogTime: expected yes or no; given: "on"'],
    ["\n\nLogTime yes no", ':3: LogTime: expected yes or no; given: "yes no"'],
    ["MaxThreads -5", ':1: MaxThreads: expected a whole number from 1 to 2147483647; given: "-5"'],
    ["MaxThreads 0", ":1: MaxThreads: expected a whole number from 1 to 2147483647"],
    ["MaxThreads 5 6", ":1: MaxThreads: expected a whole number"],
    ["MaxThreads 5M", ":1: MaxThreads: expected a whole number"],
    ["MaxThreads 99999999999", ":1: MaxThreads: expected a whole number"],
    ["TCPSocket 70000", ":1: TCPSocket: expected a whole number from 0 to 65535"],
    ["StreamMaxLength 1T", ":1: StreamMaxLength: expected a number of bytes, with K, M or G"],
    ["StreamMaxLength 1 M", ":1: StreamMaxLength: expected a number of bytes"],
    ["StreamMaxLength -1", ":1: StreamMaxLength: expected a number of bytes"],
    ["BytecodeSecurity None", ":1: BytecodeSecurity: expected one of TrustSigned, Paranoid"],
    ["#\nLogFile", ":2: LogFile: needs a value"],
    ["LogFile \t", ":1: LogFile: needs a value"],
    ['LogFile ""', ":1: LogFile: needs a value"],
    ['LogFile "/a', ':1: LogFile: the closing " is missing'],
    ["ScanOnAccess", ":1: ScanOnAccess: needs a value"],
    ["LogTime yes\nMaxThread 5", ":2: MaxThread: unknown directive, did you mean MaxThreads?"],
    ["logtime yes", ":1: logtime: unknown directive, did you mean LogTime?"],
    ["Frobnicate", ":1: Frobnicate: unknown directive, no version of clamd knows this directive"],
    ["DatabaseMirror db.example.org", ":1: DatabaseMirror: unknown directive"],
    ['"LogTime" yes', ':1: "LogTime": unknown directive, did you mean LogTime?'],
    ["constructor x", ":1: constructor: unknown directive"],
    ["Example", ":1: Example: this is still the example file"],
    ["LogTime yes\n  Example # x", ":2: Example: this is still the example file"],
  ];
  test.each(cases)("%p", (text, message) => {
    const error = startFailure(() => read(text));
    expect(error).toMatchObject({ code: "CONFIG_FILE", exitCode: 78 });
    expect(error.message).toStartWith(FILE + message);
  });

  test("bytes that are no text do not reach the message", () => {
    expect(startFailure(() => read("Log\u001bTime yes")).message).toContain("Log?Time: unknown directive");
  });
});

test("any text is read or refused with 78", () => {
  const line = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom("LogTime yes", "MaxThreads 5"),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      try {
        read(lines.join("\n"));
      } catch (error) {
        expect(error).toBeInstanceOf(StartError);
        expect(error).toMatchObject({ exitCode: 78 });
      }
    }),
  );
});

test("a line with many blanks in it takes no time", () => {
  const blanks = " ".repeat(200_000);
  const started = performance.now();
  expect(startFailure(() => read(`LogFacility x${blanks}y`)).code).toBe("CONFIG_FILE");
  expect(startFailure(() => read(`MaxThreads 5${blanks}x # remark`)).code).toBe("CONFIG_FILE");
  expect(read(`MaxThreads 5${blanks}# remark`).given.get("MaxThreads")).toEqual([5]);
  expect(performance.now() - started).toBeLessThan(1000);
});
