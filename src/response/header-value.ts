/**
 * A text for a header of ours or an SMTP reply: control characters become blanks, and it is cut at a length that
 * every MTA takes. Names of signatures come from outside.
 */
export function headerText(text: string, longest = 200): string {
  const safe = text.replaceAll(/[\0-\x1f\x7f]+/g, " ").trim();
  return safe.length <= longest ? safe : `${safe.slice(0, longest - 1)}~`;
}

/**
 * `X-Virus-Scanned`: who scanned, with which database, and where.
 * @param version clamd's reply to VERSION: `ClamAV ENGINE[/DATABASE/DATE]`
 */
export function scannedBy(version: string, ours: string, host: string): string {
  const engine = version.replace(/^ClamAV\s+/i, "");
  return headerText(`ClamAV version ${engine || "unknown"}, clamav-milter version ${ours} on ${host}`, 400);
}
