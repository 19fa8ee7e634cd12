import { until } from "../../test/lab/wait.ts";
import { CLOCK_DELAY } from "./clock.ts";
import { BOTH, DEFERRED, type Fault, type FaultWorld, LOST } from "./fault.ts";
import { NO_EXCUSE } from "./judge.ts";
import type { Chance } from "./random.ts";
import { FULL_OUTBOX } from "./shortage-faults.ts";
import { isAlive } from "./tree.ts";

type Role = "child" | "keeper" | "engine";

/** A hanging process must be killed, and another in its place, within this time. Milliseconds. */
const REPLACED_WITHIN = 15_000;
/** An infected message whose copy is kept shows the filter's clock: on a busy machine one is long awaited. Milliseconds. */
const CLOCK_PATIENCE = 30_000;
/** Seconds. */
const TOLERANCE = 20;

/** Ends or stops one process of a role and waits until another is in its place, an engine with its database. */
async function hit(
  { lab, chance, kept, oldest }: FaultWorld,
  role: Role,
  signal: NodeJS.Signals,
): Promise<void> {
  const loads = (): number => lab.log().match(/virus database loaded/g)?.length ?? 0;
  const loaded = loads();
  if (role === "keeper") kept.keeperDies();
  const { before, victim } = await until(() => victimOf(lab.roles(role), chance, signal), {
    what: `a ${role} to be there`,
  });
  const replaced = (): boolean =>
    role === "engine" ? loads() > loaded : lab.roles(role).length >= before.length;
  await until(() => !isAlive(victim) && replaced(), {
    what: `${role} ${victim} to be replaced after ${signal}`,
    deadline: REPLACED_WITHIN,
    detail: () => lab.log().split("\n").slice(-20).join("\n"),
  });
  // A message in which the only scanner dies twice is taken for the reason, and deferred: that is meant so.
  const now = performance.now();
  if (role === "engine")
    await until(() => oldest() > now, { what: "the messages of before", deadline: REPLACED_WITHIN });
}

/** One of the processes, which has got the signal; undefined when there is none, or it was gone already. */
function victimOf(before: readonly number[], chance: Chance, signal: NodeJS.Signals) {
  if (before.length === 0) return undefined;
  const victim = chance.pick(before);
  try {
    process.kill(victim, signal);
    return { before, victim };
  } catch {
    return undefined;
  }
}

/** Sends the supervisor a signal and waits until its log tells the effect once more. */
async function tell({ lab }: FaultWorld, signal: NodeJS.Signals, effect: RegExp): Promise<void> {
  const told = (): number =>
    lab
      .log()
      .split("\n")
      .filter((line) => effect.test(line)).length;
  const before = told();
  lab.filter.signal(signal);
  await until(() => told() > before, {
    what: `${effect} in the log after ${signal}`,
    deadline: REPLACED_WITHIN,
  });
}

/** What happens to the processes of the filter. */
export const PROCESS_FAULTS: readonly Fault[] = [
  // There are so many notices an hour: what needs some comes first.
  {
    name: "mail program fails",
    lasts: 5,
    modes: BOTH,
    excuse: NO_EXCUSE,
    aftermath: 0,
    named: /waits to be sent again: .*told to fail/,
    within: 3_000,
    run: async ({ lab }) => {
      lab.sendmail.fail(75);
      try {
        await Bun.sleep(4_000);
      } finally {
        lab.sendmail.fail(0);
      }
    },
  },
  FULL_OUTBOX,
  {
    name: "child killed",
    lasts: 3,
    modes: BOTH,
    excuse: LOST,
    aftermath: 2_000,
    named: /child \d+ was killed by SIGKILL; replaced/,
    within: 5_000,
    run: (world) => hit(world, "child", "SIGKILL"),
  },
  {
    name: "child stopped",
    lasts: 10,
    modes: BOTH,
    excuse: LOST,
    aftermath: 2_000,
    named: /child \d+ was stopped by a signal: killed/,
    within: 8_000,
    run: (world) => hit(world, "child", "SIGSTOP"),
  },
  {
    name: "keeper killed",
    lasts: 3,
    modes: BOTH,
    excuse: DEFERRED,
    aftermath: 3_000,
    named: /keeper \d+ was killed by SIGKILL; replaced/,
    within: 5_000,
    run: (world) => hit(world, "keeper", "SIGKILL"),
  },
  {
    name: "keeper stopped",
    lasts: 10,
    modes: BOTH,
    excuse: DEFERRED,
    aftermath: 3_000,
    named: /keeper \d+ was stopped by a signal: killed/,
    within: 15_000,
    run: (world) => hit(world, "keeper", "SIGSTOP"),
  },
  {
    name: "engine killed",
    lasts: 4,
    modes: ["internal"],
    excuse: NO_EXCUSE,
    aftermath: 0,
    named: /engine \d+ was killed by SIGKILL; replaced/,
    within: 10_000,
    run: (world) => hit(world, "engine", "SIGKILL"),
  },
  {
    name: "engine crashed",
    lasts: 4,
    modes: ["internal"],
    excuse: NO_EXCUSE,
    aftermath: 0,
    named: /engine \d+ was killed by SIGSEGV; replaced/,
    within: 10_000,
    run: (world) => hit(world, "engine", "SIGSEGV"),
  },
  {
    name: "engine stopped",
    lasts: 10,
    modes: ["internal"],
    excuse: NO_EXCUSE,
    aftermath: 0,
    named: /engine \d+ was stopped by a signal: killed/,
    within: 12_000,
    run: (world) => hit(world, "engine", "SIGSTOP"),
  },
  {
    name: "supervisor HUP",
    lasts: 1,
    modes: BOTH,
    excuse: NO_EXCUSE,
    aftermath: 0,
    named: /the settings were read again/,
    within: 3_000,
    run: (world) => tell(world, "SIGHUP", /the settings were read again/),
  },
  {
    name: "supervisor stopped 8 s",
    lasts: 9,
    modes: BOTH,
    excuse: NO_EXCUSE,
    aftermath: 0,
    named: null,
    within: 3_000,
    run: async ({ lab }) => {
      lab.filter.signal("SIGSTOP");
      try {
        await Bun.sleep(8_000);
      } finally {
        lab.filter.signal("SIGCONT");
      }
    },
  },
  {
    name: "clock set back an hour",
    lasts: 85,
    modes: BOTH,
    mounts: true,
    excuse: NO_EXCUSE,
    aftermath: 0,
    named: null,
    within: 3_000,
    run: (world) => moveClock(world, -3_600),
  },
  {
    name: "clock set ahead an hour",
    lasts: 85,
    modes: BOTH,
    mounts: true,
    excuse: NO_EXCUSE,
    aftermath: 0,
    named: null,
    within: 3_000,
    run: (world) => moveClock(world, 3_600),
  },
];

/** Sets the filter's clock apart, sees that it is, and sets it right again: that is a leap, too. */
async function moveClock({ lab, kept }: FaultWorld, seconds: number): Promise<void> {
  const isApart = (wanted: number): boolean =>
    kept.clockError !== null && Math.abs(kept.clockError - wanted) < TOLERANCE;
  const seen = (wanted: number): Promise<unknown> =>
    until(() => isApart(wanted), {
      what: `the filter to see its clock ${wanted} s apart`,
      deadline: CLOCK_DELAY + CLOCK_PATIENCE,
    });
  lab.clock?.set(seconds);
  try {
    await seen(seconds);
    await Bun.sleep(2_000);
  } finally {
    lab.clock?.set(0);
  }
  await seen(0);
}
