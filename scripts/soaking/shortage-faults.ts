import { MtaConnexion } from "../load/mta-connexion.ts";
import { BOTH, DEFERRED, DEFERRED_INFECTED, type Fault, type FaultWorld, LOST_OR_DEFERRED } from "./fault.ts";
import { NO_EXCUSE } from "./judge.ts";
import type { LabPlace } from "./lab.ts";
import { greetedConnexion } from "./sender.ts";

const HOLD = 4_000;
const IDLE = 400;
/** Enough for all the memory that the children have for messages. */
const HOARDERS = 64;
const HOARDED = 4 << 20;
/** Milliseconds in which they must all have been accepted. */
const GATHER_WITHIN = 15_000;
/** A process has as many descriptors from its start: with this limit it can open none. */
const NO_MORE = 12;

async function whileFull({ disk }: LabPlace): Promise<void> {
  disk?.fill();
  try {
    // What others give back meanwhile is taken, too.
    for (let at = 0; at < HOLD / 500; at++) {
      await Bun.sleep(500);
      disk?.fill();
    }
  } finally {
    disk?.empty();
  }
}

/** Does something while slow senders of long messages have more than the memory holds: the rest needs the disk. */
async function whileHoarded({ lab, chance }: FaultWorld, work: () => Promise<void>): Promise<void> {
  const body = Buffer.alloc(2 * HOARDED, "hoarded\r\n");
  const open: MtaConnexion[] = [];
  const stop = async (sent: number): Promise<void> => {
    if (sent >= HOARDED) throw new Error("enough");
  };
  try {
    // One after the other: many at once would come to one child, and the others had their memory.
    for (const end = performance.now() + GATHER_WITHIN; open.length < HOARDERS; ) {
      try {
        open.push(await greetedConnexion(lab.socket, chance));
      } catch (error) {
        // The fault beside this one may have ended the child that took it.
        if (performance.now() > end) throw error;
        await Bun.sleep(100);
      }
    }
    await Promise.allSettled(open.map((mta) => mta.mail({ body }, stop)));
    await work();
    // Those that found no room are told so, and the log tells it.
    await Promise.allSettled(open.map((mta, at) => mta.endOfBody(`hoarded${at}`)));
  } finally {
    for (const mta of open) mta.close();
  }
}

/** Lowers the limit of open files of running processes for a while. */
async function whileShort(pids: readonly number[]): Promise<void> {
  const before = pids.map((pid) => ({ pid, limit: limitOf(pid) }));
  for (const pid of pids) setLimit(pid, `${NO_MORE}:`);
  try {
    await Bun.sleep(HOLD);
  } finally {
    for (const { pid, limit } of before) setLimit(pid, `${limit}:`);
  }
}

function limitOf(pid: number): string {
  const { stdout } = Bun.spawnSync([
    "prlimit",
    "--pid",
    String(pid),
    "--nofile",
    "--noheadings",
    "--output=SOFT",
  ]);
  return stdout.toString().trim();
}

function setLimit(pid: number, limit: string): void {
  Bun.spawnSync(["prlimit", "--pid", String(pid), `--nofile=${limit}`]);
}

/** Many connexions that say nothing, as far as they are taken. */
async function withIdle({ lab }: FaultWorld): Promise<void> {
  const open: MtaConnexion[] = [];
  const connect = async (): Promise<void> => {
    const mta = await MtaConnexion.open({ unix: lab.socket }).catch(() => null);
    if (mta !== null) open.push(mta);
  };
  try {
    for (let at = 0; at < IDLE; at += 50) await Promise.all(Array.from({ length: 50 }, connect));
    await Bun.sleep(HOLD);
  } finally {
    for (const mta of open) mta.close();
  }
}

/** The outbox has no room: the verdicts stand, and what nobody is told is counted. */
export const FULL_OUTBOX: Fault = {
  name: "disk full: outbox",
  lasts: 5,
  modes: BOTH,
  mounts: true,
  excuse: NO_EXCUSE,
  aftermath: 0,
  named: /outbox: the notice about \S+ cannot be kept: .*ENOSPC/,
  within: 3_000,
  run: ({ lab }) => whileFull(lab.outbox),
};

/** What there is not enough of. */
export const SHORTAGE_FAULTS: readonly Fault[] = [
  {
    name: "disk full: quarantine",
    lasts: 5,
    modes: BOTH,
    mounts: true,
    excuse: DEFERRED_INFECTED,
    aftermath: 1_000,
    named: /deferred, for what must be kept of it cannot be kept.*ENOSPC/,
    within: 3_000,
    run: ({ lab }) => whileFull(lab.quarantine),
  },
  {
    name: "disk full: temporary files",
    lasts: 8,
    modes: BOTH,
    mounts: true,
    excuse: DEFERRED,
    aftermath: 3_000,
    named: /ENOSPC|No space left|temporary directory is unusable/i,
    within: 10_000,
    run: (world) => whileHoarded(world, () => whileFull(world.lab.temporary)),
  },
  {
    name: "no descriptors left in the children",
    lasts: 5,
    modes: BOTH,
    excuse: LOST_OR_DEFERRED,
    aftermath: 2_000,
    named: /EMFILE|too many open files|descriptors/i,
    within: 10_000,
    run: ({ lab }) => whileShort(lab.roles("child")),
  },
  {
    name: "no descriptors left in the keeper",
    lasts: 5,
    modes: BOTH,
    excuse: DEFERRED,
    aftermath: 2_000,
    named: /EMFILE|too many open files|descriptors/i,
    within: 10_000,
    run: ({ lab }) => whileShort(lab.roles("keeper")),
  },
  {
    name: `${IDLE} idle connexions`,
    lasts: 6,
    modes: BOTH,
    excuse: NO_EXCUSE,
    aftermath: 0,
    named: null,
    within: 3_000,
    run: withIdle,
  },
];
