import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { failure } from "../../scripts/debian/failure.ts";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";

/** The state of a connected socket in /proc/net/unix. */
const CONNECTED = "03";
/** Enough for every process to get one, however they are shared. */
const MOST_CONNEXIONS = 300;

/** How many connexions by a unix socket a process has accepted and holds. */
export function acceptedBy(pid: number, path: string): number {
  const lines = readFileSync("/proc/net/unix", "latin1").split("\n");
  const ours = lines.map((line) => line.trim().split(/\s+/)).filter((fields) => fields[7] === path);
  const inodes = new Set(ours.filter((fields) => fields[5] === CONNECTED).map((fields) => fields[6]));
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => inodes.has(inodeOf(`${folder}/${fd}`))).length;
}

function inodeOf(link: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(link))?.[1];
  } catch {
    return undefined;
  }
}

/**
 * Opens MTA connexions to a filter, one after the other, until each of these processes holds one; the caller ends them.
 * @throws code `NOT_SHARED` when that does not come about
 */
export async function connexionsToAll(path: string, pids: readonly number[]): Promise<MtaConnexion[]> {
  const held: MtaConnexion[] = [];
  while (!pids.every((pid) => acceptedBy(pid, path) > 0)) {
    if (held.length >= MOST_CONNEXIONS) {
      for (const mta of held) mta.close();
      throw failure(
        "NOT_SHARED",
        `${pids} share ${held.length} connexions like ${pids.map((pid) => acceptedBy(pid, path))}`,
      );
    }
    const mta = await MtaConnexion.open({ unix: path });
    held.push(mta);
    await mta.negotiate();
    await mta.greet();
  }
  return held;
}
