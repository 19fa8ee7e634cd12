import { DEFAULT_CF_FILES } from "./sendmail-cf-file.ts";

const DEFAULT_QUEUE = "/var/spool/mqueue";

/** What finding the queue needs of the system. */
export interface QueueReader {
  /** @throws Error */
  read(path: string): string;
  /** Paths that match a pattern of the shell's. */
  expand(pattern: string): readonly string[];
}

/**
 * The directories of sendmail's queue, by `O QueueDirectory=` of its sendmail.cf, whose last part may be a pattern.
 * @param file the sendmail.cf of the command line, or null for the usual places
 */
export function queueDirectories(file: string | null, reader: QueueReader): readonly string[] {
  for (const path of file === null ? DEFAULT_CF_FILES : [file]) {
    const found = queueOf(path, reader);
    if (found === null) continue;
    if (!/[*?[]/.test(found)) return [found];
    const matches = reader.expand(found);
    return matches.length > 0 ? matches : [found.slice(0, found.lastIndexOf("/"))];
  }
  return [DEFAULT_QUEUE];
}

function queueOf(path: string, reader: QueueReader): string | null {
  try {
    return /^O\s*QueueDirectory\s*=\s*(\/\S*)/m.exec(reader.read(path))?.[1] ?? null;
  } catch {
    return null;
  }
}
