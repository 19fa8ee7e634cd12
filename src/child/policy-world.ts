import type { Settings } from "../config/settings.ts";
import type { RoleEnd } from "../ipc/role-end.ts";
import { bareAddress } from "../policy/mail-address.ts";
import { parseNetworks } from "../policy/networks.ts";
import { ownNames } from "../policy/own-names.ts";
import { isPublicSuffix } from "../policy/public-suffix.ts";
import type { Whitelist } from "../policy/whitelist.ts";
import type { PolicyWorld } from "./judge.ts";
import type { KeeperLink } from "./keeper-link.ts";
import type { PolicyTables } from "./policy-tables.ts";

/** What the policy of a child is linked to. */
export interface PolicyLinks {
  readonly keeper: Pick<KeeperLink, "leadsToNull">;
  readonly tables: PolicyTables;
  readonly end: Pick<RoleEnd, "send">;
}

/** The policy by the settings and the tables as they are now. */
export function makePolicyWorld(settings: Settings, hostName: string, links: PolicyLinks): PolicyWorld {
  const { keeper, tables, end } = links;
  const { blacklistTime } = settings;
  return {
    rules: {
      scanOutgoing: settings.scanOutgoing,
      scanLocal: settings.scanLocal,
      forceScan: settings.forceScan,
      skipAuthenticated: settings.skipAuthenticated,
      sanitise: settings.sanitise,
      blackHole: settings.blackHoleMode,
      whitelist: withAlways(tables.whitelist, settings.quarantineAddress),
    },
    ignored: parseNetworks(settings.ignoreNets),
    ownNames: settings.detectForged ? rememberedNames(hostName) : null,
    blacklists: blacklistTime > 0,
    whitelists: settings.whitelistFile !== null || settings.quarantineAddress !== null,
    isBlacklisted: (address) => blacklistTime > 0 && tables.isBlacklisted(address),
    blacklist: (address, because) => {
      if (blacklistTime > 0) end.send({ type: "offender", address, because });
    },
    leadToNull: async (recipients) => {
      try {
        for (const recipient of recipients) {
          if (!(await keeper.leadsToNull(bareBrackets(recipient)))) return false;
        }
        return recipients.length > 0;
      } catch {
        // What cannot be told is scanned.
        return false;
      }
    },
  };
}

/** Man page, `--whitelist-file`: the quarantine address is always listed. */
function withAlways({ from, to }: Whitelist, always: string | null): Whitelist {
  if (always === null) return { from, to };
  const address = bareAddress(always);
  return { from: new Set(from).add(address), to: new Set(to).add(address) };
}

/** The MTA calls itself the same every time. */
function rememberedNames(hostName: string): NonNullable<PolicyWorld["ownNames"]> {
  const known = new Map<string, ReturnType<typeof ownNames>>();
  return (mta) => {
    const found = known.get(mta) ?? ownNames([hostName, mta], isPublicSuffix);
    if (known.size < 10) known.set(mta, found);
    return found;
  };
}

/** As sendmail is to be asked: upper and lower case may matter to it. */
function bareBrackets(recipient: string): string {
  return recipient.trim().replace(/^<(.*)>$/s, "$1");
}
