import { failure } from "./failure.ts";

/** Milliseconds another run may hold the lock: a slow network brings everything in less. */
const PATIENCE = 15 * 60_000;

/**
 * Does a job while holding a file lock that every process of this machine respects.
 * The lock belongs to a small helper process that ends with this one, so a killed run never leaves it held.
 * @param file lock file, made if missing and never removed
 * @throws code `LOCK_BUSY` when another run holds it for a quarter of an hour
 */
export async function withLock<T>(file: string, job: () => Promise<T>): Promise<T> {
  const holder = Bun.spawn(
    ["flock", "--exclusive", "--timeout", String(PATIENCE / 1000), file, "sh", "-c", "echo held; exec cat"],
    { stdin: "pipe", stdout: "pipe", stderr: "inherit", env: { PATH: "/usr/bin:/bin" } },
  );
  try {
    const reader = holder.stdout.getReader();
    const first = await reader.read();
    reader.releaseLock();
    if (first.value === undefined) {
      throw failure("LOCK_BUSY", `${file}: another run holds this lock; wait for it or end it`);
    }
    return await job();
  } finally {
    holder.stdin.end();
    await holder.exited;
  }
}
