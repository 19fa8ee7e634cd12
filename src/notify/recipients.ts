import type { Incident, NoticeRules } from "./incident.ts";
import { mailableAddress } from "./safe-text.ts";

/** Who gets a notice: addresses that mail may be sent to, each once. */
export interface NoticeRecipients {
  readonly to: readonly string[];
  readonly cc: readonly string[];
}

/**
 * Who hears of an infected message (man page: -b, -P; CB 7.2): the postmaster; the recipients, unless -P; with -b the
 * sender in the first place. Addresses that no mail can safely be sent to are left out.
 */
export function noticeRecipients(rules: NoticeRules, incident: Incident): NoticeRecipients {
  const seen = new Set<string>();
  const fresh = (addresses: readonly string[]): string[] =>
    addresses.flatMap((path) => {
      const address = mailableAddress(path);
      if (address === null || seen.has(address.toLowerCase())) return [];
      seen.add(address.toLowerCase());
      return [address];
    });
  const sender = rules.bounce ? fresh([incident.sender]) : [];
  const postmaster = fresh([rules.postmaster]);
  const others = rules.postmasterOnly ? [] : fresh(incident.recipients);
  return sender.length > 0 ? { to: sender, cc: [...postmaster, ...others] } : { to: postmaster, cc: others };
}

/** The same with those only that are `allowed`; somebody stays in To: if there is anybody. */
export function onlyAllowed(all: NoticeRecipients, allowed: ReadonlySet<string>): NoticeRecipients {
  const to = all.to.filter((address) => allowed.has(address));
  const cc = all.cc.filter((address) => allowed.has(address));
  return to.length > 0 ? { to, cc } : { to: cc.slice(0, 1), cc: cc.slice(1) };
}
