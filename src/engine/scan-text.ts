/** enum cl_error_t of clamav.h. */
const CL_CLEAN = 0;
const CL_VIRUS = 1;

/** libclamav tells this name of a file that it does not even look into to callbacks only. */
export const TOO_LARGE_NAME = "Heuristics.Limits.Exceeded.MaxFileSize";

/** What libclamav made of a file. */
export interface ScanOutcome {
  /** enum cl_error_t. */
  readonly status: number;
  /** The signature's name with CL_VIRUS. */
  readonly name: string | null;
  /** libclamav's words for the status. */
  readonly words: string;
}

/**
 * clamd's words for a scan: `OK`, `NAME FOUND` or `TEXT ERROR`. Only libclamav's plain "clean" is OK; a virus without
 * a name, and every status that is not known here, is an error.
 */
export function scanText({ status, name, words }: ScanOutcome): string {
  if (status === CL_CLEAN) return name === null ? "OK" : `${printable(name)} FOUND`;
  if (status === CL_VIRUS) return name === null ? "A virus without a name ERROR" : `${printable(name)} FOUND`;
  return `${printable(words)} ERROR`;
}

/** A name comes from a database that anybody may have written; it must not end a reply. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?");
}
