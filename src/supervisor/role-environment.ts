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
const RUNTIME = { BUN_JSC_useFTLJIT: "0", MIMALLOC_PURGE_HOLES_MIN_INTERVAL: "10000" };

const EVERY_ROLE = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8", ...RUNTIME };

/**
 * The supervisor does little for a message, so the compiler before the last has no use there either. It takes 3 MB,
 * and not at the start but after some 50,000 messages, when memory ought to be at rest.
 */
const SUPERVISOR = { BUN_JSC_useDFGJIT: "0" };

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
    ...(name === "supervisor" ? SUPERVISOR : {}),
    ...(zone === undefined ? {} : { TZ: zone }),
    ...(libraries === undefined || !WITH_LIBRARIES.includes(name) ? {} : { LD_LIBRARY_PATH: libraries }),
  };
}

/**
 * The environment of a supervisor in the foreground: the caller's, in which it finds its service manager, and what the
 * runtime of a supervisor is to know, which it takes note of at its start only. Null when all of that is there.
 */
export function foregroundEnvironment(
  caller: Readonly<Record<string, string | undefined>>,
): Record<string, string> | null {
  const runtime = Object.entries({ ...RUNTIME, ...SUPERVISOR });
  if (runtime.every(([name, value]) => caller[name] === value)) return null;
  const known = Object.entries(caller).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries([...known, ...runtime]);
}
