/** What the processes of the roles have in their environment. */
import type { RoleName } from "../ipc/role.ts";

/** What is taken over from the environment of who started the program. */
export interface CallersEnvironment {
  readonly TZ?: string | undefined;
  readonly LD_LIBRARY_PATH?: string | undefined;
}

/**
 * The last of the runtime's compilers is off: what it gained was less than what it took, and one mail in a hundred
 * waited for it (a collection waits until it pauses). Without it mail passes at 1.0 to 1.13 times the rate, and p99
 * before a clamd is 0.7 of what it was. Holes in the memory are looked for every ten seconds, not ten times a second:
 * that was a sixth of all work when there is little, and what was given back had to be fetched again.
 */
const EVERY_ROLE = {
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  LANG: "C.UTF-8",
  BUN_JSC_useFTLJIT: "0",
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: "10000",
};

/**
 * A child's heap is small, what it receives is large, and lives as long as a message: memory is to be used again rather
 * than fetched from the kernel, which costs as much as reading it. So the collector believes in a machine of 200 MB, and
 * looks for what can go when a heap below 50 MB has doubled, or one below 100 MB has grown by half. With 100 MB, and
 * half of these bounds, it went through a heap that was mostly blocks for the next messages at every quarter more: half
 * of the work for mail of 1 MB over TCP, which passes at 1.5 times the rate now. What is free goes back after half a
 * minute, not at once: mail comes in bursts. Where ten seconds are between bursts of 10 MB, half a minute takes 0.6 of
 * the CPU that five seconds take.
 */
const CHILD = { BUN_JSC_forceRAMSize: "200000000", MIMALLOC_PURGE_DELAY: "30000" };

/** The engine may have a libclamav that is not where the system looks for libraries; the supervisor starts it. */
const WITH_LIBRARIES: readonly RoleName[] = ["supervisor", "engine"];

/**
 * The environment of a role: nothing of the caller's but its time zone, since a variable must not change what a role
 * does, and for the engine where libraries are.
 */
export function roleEnvironment(name: RoleName, caller: CallersEnvironment): Record<string, string> {
  const { TZ: zone, LD_LIBRARY_PATH: libraries } = caller;
  return {
    ...EVERY_ROLE,
    ...(name === "child" ? CHILD : {}),
    ...(zone === undefined ? {} : { TZ: zone }),
    ...(libraries === undefined || !WITH_LIBRARIES.includes(name) ? {} : { LD_LIBRARY_PATH: libraries }),
  };
}
