import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mail } from "../lab/mail.ts";
import { run } from "../lab/process.ts";
import { connexionsToAll } from "../lab/shared-socket.ts";
import { until } from "../lab/wait.ts";
import { asMtaMail, internalLab, rolesOf } from "./engine-lab.ts";

const PATIENCE = 60_000;
/** Fewer than any process of ours has open. */
const NO_MORE = 3;

const lab = internalLab();

async function limitFiles(pid: number, limit: string): Promise<void> {
  const argv = ["prlimit", "--pid", String(pid), `--nofile=${limit}`];
  expect((await run({ argv, deadline: 5000 })).exitCode).toBe(0);
}

test(
  "a child whose link was lost because the keeper had no descriptor left gets another as soon as there is one",
  async () => {
    const internal = await lab.started();
    const { filter } = internal;
    const [keeper = 0] = rolesOf(filter, "keeper");
    const [victim = 0, ...others] = rolesOf(filter, "child");
    const limits = /^Max open files +(\d+)/m.exec(readFileSync(`/proc/${keeper}/limits`, "latin1"));
    await limitFiles(keeper, `${NO_MORE}:`);
    process.kill(victim, "SIGKILL");
    await filter.logLine(/a child's link did not arrive/);
    await limitFiles(keeper, `${limits?.[1] ?? ""}:`);
    const successor = await until(
      () => rolesOf(filter, "child").find((pid) => pid !== victim && !others.includes(pid)),
      { what: "another child" },
    );
    const held = await connexionsToAll(internal.socket, [successor]);
    for (const mta of held) expect((await mta.mail(asMtaMail(mail()))).verdict.kind).toBe("accept");
    for (const mta of held) mta.quit();
    expect(rolesOf(filter, "child")).toContain(successor);
    expect(filter.log()).not.toMatch(new RegExp(`child ${successor} `));
    await lab.stopped(internal);
  },
  PATIENCE,
);
