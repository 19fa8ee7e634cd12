import { type ComposedMail, composeMail, type Stamp } from "./compose.ts";
import { addressField, domainOf, fromField, textField } from "./header-field.ts";
import { oneLineText } from "./safe-text.ts";

/** What the postmaster is told of the scanners. */
export interface ScannerNews {
  /** Whether one can be asked again; else none can. */
  readonly back: boolean;
  /** Each server with what is wrong with it. */
  readonly details: readonly string[];
  /** Whether mail passes unscanned meanwhile (--dont-scan-on-error). */
  readonly unscanned: boolean;
}

/** The mail that tells the postmaster that no scanner is left, or that there is one again (CB 5.5). */
export function composeScannerMail(news: ScannerNews, postmaster: string, stamp: Stamp): ComposedMail {
  const host = domainOf(stamp.host);
  const meanwhile = news.unscanned
    ? "Until then mail passes WITHOUT being scanned (--dont-scan-on-error)."
    : "Until then mail is put off: senders are told to try again later.";
  const parts = news.back
    ? ["A virus scanner can be reached again; mail is scanned."]
    : [
        "No virus scanner can be reached, so that no mail is scanned.",
        meanwhile,
        "Please see to it that clamd runs and that its socket can be reached from here.",
      ];
  const list = news.details.slice(0, 50).map((line) => `    ${oneLineText(line, 500)}`);
  return composeMail(
    [
      fromField(postmaster, host),
      addressField("To", [postmaster], host),
      textField("Subject", news.back ? "ClamAV is back" : "ClamAV Down"),
      ...(news.back ? [] : [["Priority", "urgent"] as const]),
    ],
    Buffer.from(`${[...parts, ...(list.length > 0 ? [list.join("\n")] : [])].join("\n\n")}\n`),
    stamp,
  );
}
