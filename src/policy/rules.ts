import { accept, type Decision, discard, LATER, refuse, SCAN, shown } from "./decision.ts";
import type { Facts } from "./facts.ts";
import { bareName, domainOf, headerDomains } from "./mail-address.ts";
import { isListed, type Whitelist } from "./whitelist.ts";

/** The options that say what is scanned and what is refused. */
export interface PolicyRules {
  /** `--outgoing`, `--local`, `--force-scan`. */
  readonly scanOutgoing: boolean;
  readonly scanLocal: boolean;
  readonly forceScan: boolean;
  /** `--skip-authenticated`: null without it, empty for everybody. */
  readonly skipAuthenticated: readonly string[] | null;
  /** `--dont-sanitise` is not given. */
  readonly sanitise: boolean;
  /** `--black-hole-mode`. */
  readonly blackHole: boolean;
  readonly whitelist: Whitelist;
}

type Rule = (facts: Facts, rules: PolicyRules) => Decision | null;

/** When a question is asked: as soon as what it depends on is known. */
export type Stage = "connect" | "mail" | "recipient" | "endOfHeaders";

/**
 * Every rule, in the order in which they are asked; the first that has an answer decides. Nobody has one: the mail
 * is scanned.
 *
 * A blacklisted host is refused before its sender is looked at, which anybody can forge; a whitelisted or
 * authenticated sender passes before claims are doubted. Mail to /dev/null is thrown away even if it is
 * whitelisted (CB 4.7).
 */
const ORDER: Readonly<Record<Stage, readonly Rule[]>> = {
  connect: [fromThisMachine, fromLan],
  mail: [blacklisted, whitelistedSender, authenticated, forgedHostName, forgedHelo, forgedSender],
  recipient: [suspiciousRecipient],
  endOfHeaders: [forgedFrom, blackHole, whitelistedRecipients],
};

/** What is to be done, as far as can be told at that stage. */
export function decide(stage: Stage, facts: Facts, rules: PolicyRules): Decision {
  for (const rule of ORDER[stage]) {
    const decision = rule(facts, rules);
    if (decision === null) continue;
    // Decisions 4, "Refusals and non-SMTP mail".
    if (decision.kind === "refuse" && facts.origin === "thisMachine") return { ...decision, atEnd: true };
    return decision;
  }
  return SCAN;
}

function fromThisMachine({ origin }: Facts, { scanOutgoing, forceScan }: PolicyRules): Decision | null {
  if (origin !== "thisMachine" || scanOutgoing || forceScan) return null;
  return accept("this machine", "from this machine, and --outgoing is not given", "verbose");
}

function fromLan({ origin }: Facts, { scanLocal, forceScan }: PolicyRules): Decision | null {
  if (origin !== "lan" || scanLocal || forceScan) return null;
  return accept("LAN", "from the LAN, and --local is not given", "verbose");
}

function blacklisted({ origin, blacklisted: listed, address }: Facts): Decision | null {
  if (!listed || origin !== "elsewhere") return null;
  const text = `Your IP (${address}) is blacklisted because your machine is infected with a virus`;
  return refuse("blacklist", { code: 550, text }, `Rejected email from blacklisted IP ${address}`);
}

function whitelistedSender({ sender }: Facts, { whitelist }: PolicyRules): Decision | null {
  if (!isListed(whitelist.from, sender)) return null;
  return accept("whitelist", "the sender is whitelisted", "verbose");
}

function authenticated({ authenticated: name }: Facts, { skipAuthenticated }: PolicyRules): Decision | null {
  if (name === null || skipAuthenticated === null) return null;
  if (skipAuthenticated.length > 0 && !skipAuthenticated.includes(name)) return null;
  return accept("authenticated", `authenticated as ${shown(name)}, see --skip-authenticated`, "info");
}

const CLAIMS_TO_BE_ME = "You have claimed to be me, but you are not";
const CLAIMS_TO_BE_FROM_ME = "You have claimed to be from me, but you are not";
const FALSE_CONNEXION = "Rejected connexion falsely claiming to be from here";
const FALSE_MAIL = "Rejected email falsely claiming to be from here";

/** Who may not claim to be us: null when `-L` is not given, or the client may. */
function doubtedNames({ origin, authenticated: name, own }: Facts): Facts["own"] {
  return origin === "elsewhere" && name === null ? own : null;
}

function forgedHostName(facts: Facts): Decision | null {
  const host = bareName(facts.host);
  if (doubtedNames(facts)?.hosts.has(host) !== true) return null;
  const reason = `${FALSE_CONNEXION}: its host name is ours, ${shown(host)}`;
  return refuse("forged host name", { code: 550, text: CLAIMS_TO_BE_ME }, reason);
}

function forgedHelo(facts: Facts): Decision | null {
  const helo = bareName(facts.helo);
  if (doubtedNames(facts)?.hosts.has(helo) !== true) return null;
  const reason = `${FALSE_CONNEXION}: its HELO is our name, ${shown(helo)}`;
  return refuse("forged HELO", { code: 550, text: CLAIMS_TO_BE_ME }, reason);
}

function forgedSender(facts: Facts): Decision | null {
  const own = doubtedNames(facts);
  const domain = facts.sender.map(domainOf).find((each) => each !== null && own?.domains.has(each) === true);
  if (domain === undefined) return null;
  const reason = `${FALSE_MAIL}: the sender is in our domain, ${domain}`;
  return refuse("forged sender", { code: 550, text: CLAIMS_TO_BE_FROM_ME }, reason);
}

function forgedFrom(facts: Facts): Decision | null {
  const own = doubtedNames(facts);
  if (own === null) return null;
  const domain = facts.from.flatMap(headerDomains).find((each) => own.domains.has(each));
  if (domain === undefined) return null;
  // A mailing service says who it is.
  const senders = facts.senderHeaders.flatMap(headerDomains);
  if (senders.length > 0 && !senders.some((each) => own.domains.has(each))) return null;
  const reason = `${FALSE_MAIL}: the From: address is in our domain, ${domain}`;
  return refuse("forged From", { code: 554, text: CLAIMS_TO_BE_FROM_ME }, reason);
}

function suspiciousRecipient({ recipient }: Facts, { sanitise }: PolicyRules): Decision | null {
  if (!sanitise) return null;
  const found = recipient.find((name) => /[|;]/.test(name));
  if (found === undefined) return null;
  const text = "Suspicious recipient address blocked";
  return refuse("suspicious recipient", { code: 554, text }, `${text}: '${shown(found)}'`, "warning");
}

function blackHole({ blackHole: answer, someRecipient }: Facts, rules: PolicyRules): Decision | null {
  if (!rules.blackHole || someRecipient === null || answer === false) return null;
  if (answer === null) return LATER;
  return discard(
    "black hole",
    `Discarded, since all recipients (e.g. "${shown(someRecipient)}") are /dev/null`,
  );
}

function whitelistedRecipients({ someRecipient, allRecipientsListed }: Facts): Decision | null {
  if (someRecipient === null || !allRecipientsListed) return null;
  return accept("whitelist", "all recipients are whitelisted", "verbose");
}
