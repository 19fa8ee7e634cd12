import type { ServerAddress } from "../clamd/address.ts";
import type { ClamdError } from "../clamd/clamd-error.ts";
import { adoptClamd } from "../clamd/connect.ts";
import type { ScannerHealth } from "../clamd/health.ts";
import { ClamdPool } from "../clamd/pool.ts";
import { ClamdServer } from "../clamd/server.ts";
import type { Settings } from "../config/settings.ts";
import { sendWithDescriptor } from "../os/descriptor-passing.ts";
import type { KeeperLink } from "./keeper-link.ts";

/** Milliseconds that a connexion to clamd may take. */
const CONNECT_PATIENCE = 5000;
/**
 * Sessions that one child may have with one server. The slots of `--max-children` are what keeps the scans near
 * MaxThreads; this keeps them below half of clamd's MaxQueue (100), where it would stop reading (thrmgr.c).
 */
const MOST_SESSIONS = 48;
/** clamd.conf's `ReadTimeout 0` means no limit; the message's budget ends the wait all the same. */
const NO_LIMIT = Number.POSITIVE_INFINITY;

/** The scanners of these settings, reached through the keeper. */
export function makePool(
  settings: Settings,
  health: readonly ScannerHealth[],
  keeper: KeeperLink,
  now: () => number,
): ClamdPool {
  const limits = {
    sessions: MOST_SESSIONS,
    connect: CONNECT_PATIENCE,
    silence: settings.readTimeout === 0 ? NO_LIMIT : settings.readTimeout * 1000,
  };
  const edge = {
    now,
    connect: async (address: ServerAddress, deadline: number, onEnd: (error: ClamdError) => void) => {
      const fd = await keeper.connect(address.name, deadline);
      return adoptClamd(fd, address.name, onEnd, address.kind === "unix" ? sendWithDescriptor : null);
    },
    onTrouble: (address: ServerAddress) => keeper.reportTrouble(address.name),
  };
  const pool = new ClamdPool(settings.servers.map((server) => new ClamdServer(server, limits, edge)));
  pool.learn(health);
  return pool;
}

/** What a pool of scanners is made from, as one value to compare. */
export function scannersOf({ servers, readTimeout }: Settings): string {
  return JSON.stringify([servers, readTimeout]);
}

/** The name of a server that is another host; null for this one (CB 6.1). */
export function remoteHost(server: Settings["servers"][number]): string | null {
  if (server.kind === "unix") return null;
  return /^(127\.|::1$|localhost$)/i.test(server.host) ? null : server.host;
}
