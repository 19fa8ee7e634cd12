import type { Verdict } from "../milter/replies.ts";
import type { ScanVerdict } from "../scan/verdict.ts";

/** `--dont-wait`, when --max-children is reached (man page; the words are those of CB 4): to be tried again later. */
export const OVERLOADED: Verdict = {
  kind: "reply",
  code: 451,
  enhanced: "4.3.2",
  lines: ["AV system temporarily overloaded - please try later"],
};

/** The same for the log. `--dont-scan-on-error` does not count here: this is no error. */
export const NO_PLACE: ScanVerdict = {
  kind: "failed",
  reason: "no free place (--max-children, --dont-wait)",
  header: null,
  server: null,
};
