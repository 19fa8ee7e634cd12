import { bareName } from "./mail-address.ts";

/** What a host outside may not claim to be (`--detect-forged-local-address`). */
export interface OwnNames {
  readonly hosts: ReadonlySet<string>;
  readonly domains: ReadonlySet<string>;
}

/**
 * Our names and domains (decisions 4, `-L`): of `mail.example.org` the domain is `example.org`. Where the parent
 * belongs to others, too (`org`, `co.uk`), only the host's own name counts.
 * @param names the host's name, and what the MTA calls itself; those that are empty are left out
 */
export function ownNames(names: readonly string[], isPublicSuffix: (domain: string) => boolean): OwnNames {
  const hosts = new Set(names.map(bareName).filter((name) => name !== ""));
  const full = [...hosts].filter((name) => name.includes("."));
  const domains = full.map((name) => {
    const parent = name.slice(name.indexOf(".") + 1);
    return parent.includes(".") && !isPublicSuffix(parent) ? parent : name;
  });
  return { hosts, domains: new Set(domains) };
}
