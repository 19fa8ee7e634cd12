import { getPublicSuffix } from "tldts-experimental";

/**
 * Whether anybody may register names below this one (`co.uk`, `dyndns.org`): by the Public Suffix List, the part
 * that hosting companies add to it included. A name of one label always is.
 */
export function isPublicSuffix(domain: string): boolean {
  if (!domain.includes(".")) return true;
  return getPublicSuffix(domain, { allowPrivateDomains: true, validateHostname: false }) === domain;
}
