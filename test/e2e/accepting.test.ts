import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mail } from "../lab/mail.ts";
import { connexionsToAll } from "../lab/shared-socket.ts";
import { asMtaMail, type InternalFilter, internalLab, rolesOf } from "./engine-lab.ts";

const PATIENCE = 60_000;
const MAILS = 100;
/** On a machine that is stopped for a while the others help out, for five seconds. */
const TRIES = 4;

const lab = internalLab();

/** How often a process has gone to sleep so far. */
function sleeps(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
}

/** The child that accepts when there are few connexions: it is woken for each, the others are not. */
async function acceptor({ filter, send }: InternalFilter): Promise<number> {
  const children = rolesOf(filter, "child");
  expect(children.length).toBeGreaterThan(1);
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const before = children.map(sleeps);
    for (let count = 0; count < MAILS; count++) expect(await send(mail())).toBe("accept Clean");
    const woken = children.map((pid, at) => ({ pid, times: sleeps(pid) - (before[at] ?? 0) }));
    const [most, next] = woken.toSorted((a, b) => b.times - a.times);
    if (most !== undefined && next !== undefined && most.times > 3 * next.times) return most.pid;
  }
  throw new Error("no child accepts alone");
}

test(
  "one connexion after the other wakes one child only; many at once are shared by all",
  async () => {
    const internal = await lab.started();
    await acceptor(internal);
    const held = await connexionsToAll(internal.socket, rolesOf(internal.filter, "child"));
    for (const mta of held) expect((await mta.mail(asMtaMail(mail()))).verdict.kind).toBe("accept");
    for (const mta of held) mta.quit();
    await lab.stopped(internal);
  },
  PATIENCE,
);

test(
  "no mail waits for the child that accepts when that one hangs, nor for the supervisor",
  async () => {
    const internal = await lab.started();
    const hanging = await acceptor(internal);
    // The supervisor would replace a child that is stopped, at once.
    for (const pid of [internal.filter.pid, hanging]) process.kill(pid, "SIGSTOP");
    const began = performance.now();
    expect(await internal.send(mail())).toBe("accept Clean");
    expect(performance.now() - began).toBeLessThan(5000);
    for (const pid of [hanging, internal.filter.pid]) process.kill(pid, "SIGCONT");
    expect(await internal.send(mail())).toBe("accept Clean");
    await lab.stopped(internal);
  },
  PATIENCE,
);
