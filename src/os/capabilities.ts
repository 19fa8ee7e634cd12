/** What the kernel says about a thread's rights, and the words for it. Pure: texts in, values and texts out. */

/** Capabilities by number, from linux/capability.h. */
const NAMES: readonly string[] = [
  ...["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"],
  ...[
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
  ],
  ...[
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
  ],
  ...["SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL"],
  ...["SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ"],
  ...["PERFMON", "BPF", "CHECKPOINT_RESTORE"],
];

/** The rights of one thread. */
export interface Rights {
  /** Real, effective, saved, and of the file system. */
  readonly uids: readonly number[];
  /** Likewise. */
  readonly gids: readonly number[];
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /** One bit for each capability that the thread has in any way: permitted, effective, inheritable, ambient. */
  readonly capabilities: bigint;
}

/**
 * Reads a /proc/PID/status or /proc/PID/task/TID/status.
 * @throws Error with code `BAD_STATUS` when a line is missing: nothing is taken for granted
 */
export function readRights(status: string): Rights {
  const sets = ["CapInh", "CapPrm", "CapEff", ...(status.includes("\nCapAmb:") ? ["CapAmb"] : [])];
  return {
    uids: numbers(status, "Uid"),
    gids: numbers(status, "Gid"),
    groups: numbers(status, "Groups"),
    capabilities: sets.reduce((all, name) => all | BigInt(`0x${field(status, name)}`), 0n),
  };
}

function numbers(status: string, name: string): readonly number[] {
  return (field(status, name).match(/\d+/g) ?? []).map(Number);
}

function field(status: string, name: string): string {
  const line = new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status);
  if (line === null) {
    throw Object.assign(new Error(`/proc/self/status has no line "${name}"`), { code: "BAD_STATUS" });
  }
  return (line[1] ?? "").trim();
}

/** The names of capabilities, as `CAP_SYS_CHROOT`, in the order of their numbers. */
export function capabilityNames(capabilities: bigint): readonly string[] {
  const names: string[] = [];
  for (let bit = 0; capabilities >> BigInt(bit) > 0n; bit++) {
    if ((capabilities >> BigInt(bit)) & 1n) names.push(`CAP_${NAMES[bit] ?? bit}`);
  }
  return names;
}

/**
 * The rights that a process has left, for the log: `user 106, group 112, no other group, capabilities:
 * CAP_SYS_CHROOT`.
 * @param status its /proc/PID/status, which is that of its main thread
 */
export function describeRights(status: string): string {
  const { uids, gids, groups, capabilities } = readRights(status);
  const others = groups.filter((group) => !gids.includes(group));
  return [
    `user ${distinct(uids)}`,
    `group ${distinct(gids)}`,
    others.length === 0 ? "no other group" : `other groups ${distinct(others)}`,
    capabilities === 0n ? "no capabilities" : `capabilities: ${capabilityNames(capabilities).join(" ")}`,
  ].join(", ");
}

function distinct(ids: readonly number[]): string {
  return [...new Set(ids)].join("/");
}
