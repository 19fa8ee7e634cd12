import { type Excuse, NO_EXCUSE } from "./judge.ts";
import type { KeptMail } from "./kept-mail.ts";
import type { Mode, SoakLab } from "./lab.ts";
import type { Chance } from "./random.ts";

/** What a fault may use. */
export interface FaultWorld {
  readonly lab: SoakLab;
  readonly kept: KeptMail;
  readonly chance: Chance;
  /** When the oldest of the messages under way was begun, on `performance.now()`. */
  readonly oldest: () => number;
}

/** Something that goes wrong, and what may be seen of it. */
export interface Fault {
  readonly name: string;
  readonly modes: readonly Mode[];
  /** It needs small disks or a clock of its own, which only root has. */
  readonly mounts?: true;
  readonly excuse: Excuse;
  /** After its end it explains failures for so long. Milliseconds. */
  readonly aftermath: number;
  /** What the filter's log must say of it, or null. */
  readonly named: RegExp | null;
  /** About how long it takes, in seconds. */
  readonly lasts: number;
  /** From its beginning on a right verdict must come within this time. Milliseconds. */
  readonly within: number;
  /**
   * Does it, for a while, and undoes it.
   * @throws Error when the filter did not do what it must do meanwhile
   */
  run(world: FaultWorld): Promise<void>;
}

export const LOST: Excuse = { ...NO_EXCUSE, lost: true };
export const DEFERRED: Excuse = { ...NO_EXCUSE, deferred: true };
export const DEFERRED_INFECTED: Excuse = { ...NO_EXCUSE, deferredInfected: true };
export const LOST_OR_DEFERRED: Excuse = { ...NO_EXCUSE, lost: true, deferred: true };
export const BOTH: readonly Mode[] = ["external", "internal"];

/** Faults of a mode that can be done here. */
export function possibleFaults(faults: readonly Fault[], { mode, clock }: SoakLab): readonly Fault[] {
  return faults.filter((fault) => fault.modes.includes(mode) && (clock !== null || fault.mounts !== true));
}
