import { readFileSync } from "node:fs";
import { threadsOf } from "./hang.ts";
import { mail } from "./mail.ts";

const TRIGGER = "long-winded-3Kx";

/** A regular expression that libclamav tries in 2^50 ways where the text has what the signature waits for. */
export const ENDLESS_SIGNATURE = `Endless;Engine:81-255,Target:0;0&1;${Buffer.from(TRIGGER).toString("hex")};0/(x+x+)+[qw]!/\n`;

/** What clamd.conf must allow for that. */
export const ENDLESS_LIMITS = { PCREMatchLimit: "2000000000", PCRERecMatchLimit: "2000000000" };

/** A mail whose scan with that signature never ends. */
export function endlessMail(name: string): string {
  return mail({ body: `${name} ${TRIGGER} ${"x".repeat(50)} z !\r\n` });
}

function ofThread(pid: number, thread: number, file: string): string {
  return readFileSync(`/proc/${pid}/task/${thread}/${file}`, "latin1");
}

/** Threads of an engine that have scanned for half a second. */
export function busyThreads(pid: number): number {
  return threadsNamed(pid, "engine scan").filter((thread) => {
    const ticks = Number(ofThread(pid, thread, "stat").split(") ")[1]?.split(" ")[11]);
    return ticks >= 50;
  }).length;
}

export function threadsNamed(pid: number, name: string): number[] {
  return threadsOf(pid).filter((thread) => ofThread(pid, thread, "comm") === `${name}\n`);
}
