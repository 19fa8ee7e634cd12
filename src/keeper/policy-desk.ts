import { Resolver } from "node:dns/promises";
import { hostname } from "node:os";
import type { Settings } from "../config/settings.ts";
import type { Log } from "../log/log.ts";
import { runProgram } from "../os/run-program.ts";
import { canonicalAddress } from "../policy/networks.ts";
import { ownNames } from "../policy/own-names.ts";
import { isPublicSuffix } from "../policy/public-suffix.ts";
import { LONGEST_WHITELIST } from "../policy/whitelist.ts";
import { BlackHoles } from "./black-holes.ts";
import { MxPeers, type MxService } from "./mx-peers.ts";
import { readLatin1, stampOf } from "./system-access.ts";
import { type WhitelistPortion, WhitelistWatch } from "./whitelist-watch.ts";

/** Milliseconds for one `sendmail -bv`. */
const EXPANSION_PATIENCE = 10_000;
/** For one question to one name server, and how often it is asked: MxPeers has the bound for all of them. */
const QUESTION = { timeout: 1500, tries: 2 };

/** What the keeper does for the policy. */
export interface PolicyDesk {
  /** The whitelist in messages for a new child; none without a whitelist. */
  whitelist(): readonly WhitelistPortion[];
  /** Whether mail to an address goes to /dev/null. Never rejects. */
  leadsToNull(address: string): Promise<boolean>;
  /** Reads files anew, after SIGHUP. */
  reload(): void;
}

/** Who is told of news. */
export interface PolicyNews {
  toChildren(portion: WhitelistPortion): void;
  /** The addresses of our MX peers. */
  toSupervisor(addresses: readonly string[]): void;
}

/** Starts what the options need, and nothing else. */
export function startPolicyDesk(settings: Settings, log: Log, news: PolicyNews): PolicyDesk {
  const { whitelistFile, sendmailBin, blackHoleMode, blacklistTime } = settings;
  const edge = { read: (path: string) => readLatin1(path, LONGEST_WHITELIST), stamp: stampOf };
  const watch =
    whitelistFile === null
      ? null
      : new WhitelistWatch(whitelistFile, edge, log, (portions) => portions.forEach(news.toChildren));
  const holes = blackHoleMode
    ? new BlackHoles({ expand: expandBy(sendmailBin), now: () => performance.now() }, sendmailBin, log)
    : null;
  if (blacklistTime > 0) watchPeers(log, news);
  return {
    whitelist: () => watch?.portions ?? [],
    leadsToNull: (address) => holes?.leadsToNull(address) ?? Promise.resolve(false),
    reload: () => watch?.reload(),
  };
}

function watchPeers(log: Log, news: PolicyNews): void {
  const domains = ourDomains();
  if (domains.length > 0) void new MxPeers(domains, mxService(), log, news.toSupervisor).look();
  else
    log(
      "warning",
      `MX peers are unknown: this host's name, ${hostname()}, has no domain; --dont-blacklist can name them`,
    );
}

/** The names whose MX hosts are our peers: the host's own, and its domain. */
function ourDomains(): readonly string[] {
  const { hosts, domains } = ownNames([hostname()], isPublicSuffix);
  return [...new Set([...hosts, ...domains])].filter((name) => name.includes("."));
}

function mxService(): MxService {
  const resolver = new Resolver(QUESTION);
  return {
    exchanges: async (domain) => (await resolver.resolveMx(domain)).map(({ exchange }) => exchange),
    addresses4: (name) => resolver.resolve4(name),
    addresses6: (name) => resolver.resolve6(name),
    isAddress: (text) => canonicalAddress("inet", text) !== "",
  };
}

function expandBy(program: string): (address: string) => Promise<{ status: number | null; output: string }> {
  return (address) => runProgram([program, "-bv", "--", address], EXPANSION_PATIENCE);
}
