/** What the test and its processes tell each other. */
export interface Plan {
  /** Null: stay who one is. */
  readonly user: string | null;
  readonly supplementaryGroups: boolean;
  readonly keepChroot: boolean;
  /** Null: the children drop their rights only. */
  readonly jail: string | null;
  readonly children: number;
  /** The children have many threads before they drop their rights. */
  readonly busy: boolean;
  /** Some of these threads cannot be reached by any signal. */
  readonly deaf: boolean;
}

export interface SupervisorReport {
  readonly role: "supervisor";
  readonly pid: number;
  readonly rights: string;
  readonly children: readonly number[];
}

export interface ChildReport {
  readonly role: "child";
  readonly pid: number;
  /** Threads, and those with capabilities, just before the rights were dropped. */
  readonly threads: number;
  readonly before: number;
  /** What dropping them took. */
  readonly milliseconds: number;
  /** Of a loop long enough to be compiled, afterwards. */
  readonly computed: number;
}

/** What was tried on a victim; true: it worked. */
export interface VictimReport {
  readonly pid: number;
  readonly traced: boolean;
  readonly read: boolean;
  readonly opened: boolean;
}

export interface Attempts {
  readonly role: "attack";
  readonly root: boolean;
  readonly chroot: boolean;
  readonly victims: readonly VictimReport[];
  /** Names in the root directory. */
  readonly files: readonly string[];
}

export interface GroupReport {
  readonly role: "group";
  readonly gid?: number;
}

export type Report = SupervisorReport | ChildReport | Attempts | GroupReport;
