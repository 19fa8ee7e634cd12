import { expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { MtaConnexion } from "../../scripts/load/mta-connexion.ts";
import type { Filter } from "../lab/filter.ts";
import { mail } from "../lab/mail.ts";
import { internalLab, rolesOf } from "./engine-lab.ts";

const PATIENCE = 60_000;
const MAILS = 100;
const MOST_CONNEXIONS = 200;

const lab = internalLab();

/** How often a process has gone to sleep so far. */
function sleeps(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
}

function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`).startsWith("socket:");
    } catch {
      return false;
    }
  }).length;
}

/** The child that accepts when there are few connexions: it is woken for each, the others are not. */
async function acceptor(filter: Filter, send: () => Promise<string>): Promise<number> {
  const children = rolesOf(filter, "child");
  const before = children.map(sleeps);
  for (let count = 0; count < MAILS; count++) expect(await send()).toBe("accept Clean");
  const woken = children.filter((pid, at) => sleeps(pid) - (before[at] ?? 0) >= MAILS);
  expect(woken).toHaveLength(1);
  return woken[0] ?? 0;
}

test(
  "one connexion after the other wakes one child only; many at once are shared by all",
  async () => {
    const internal = await lab.started();
    const { filter, socket } = internal;
    await acceptor(filter, () => internal.send(mail()));
    const children = rolesOf(filter, "child");
    const before = children.map(socketsOf);
    const held: MtaConnexion[] = [];
    const shared = () => children.every((pid, at) => socketsOf(pid) > (before[at] ?? 0));
    while (!shared() && held.length < MOST_CONNEXIONS) {
      const mta = await MtaConnexion.open({ unix: socket });
      held.push(mta);
      await mta.negotiate();
    }
    expect(shared()).toBe(true);
    for (const mta of held) mta.quit();
    await lab.stopped(internal);
  },
  PATIENCE,
);

test(
  "no mail waits for the child that accepts when that one hangs, nor for the supervisor",
  async () => {
    const internal = await lab.started();
    const { filter } = internal;
    const hanging = await acceptor(filter, () => internal.send(mail()));
    // The supervisor would replace a child that is stopped, at once.
    for (const pid of [filter.pid, hanging]) process.kill(pid, "SIGSTOP");
    const began = performance.now();
    expect(await internal.send(mail())).toBe("accept Clean");
    expect(performance.now() - began).toBeLessThan(5000);
    for (const pid of [hanging, filter.pid]) process.kill(pid, "SIGCONT");
    expect(await internal.send(mail())).toBe("accept Clean");
    await lab.stopped(internal);
  },
  PATIENCE,
);
