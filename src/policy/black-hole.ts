/** More recipients than these are not asked about: such mail is scanned. */
export const MOST_ASKED_RECIPIENTS = 100;

/**
 * Whether `sendmail -bv` can be asked about an address so that the answer is about that address and no other: it
 * takes lists, comments, quotes, files and programs, too.
 */
export function canBeAskedAbout(address: string): boolean {
  return /^[A-Za-z0-9_.!#$%&'*+=?^`{}~][A-Za-z0-9_.!#$%&'*+/=?^`{}~@-]{0,319}$/.test(address);
}

/**
 * Whether all that `sendmail -bv` says is that the mail would be written to /dev/null (decisions 4). No answer,
 * an unknown user, a further recipient: none of them is proof.
 * @param output what it wrote to standard output
 */
export function leadsToNull(output: string): boolean {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  return lines.length > 0 && lines.every((line) => DELIVERED_TO_NULL.test(line.trimEnd()));
}

/** The address in front is what the aliases made of it: no text of a client's can take its place. */
const DELIVERED_TO_NULL = /^\/dev\/null\.\.\. deliverable: mailer \*file\*, user \/dev\/null$/;
