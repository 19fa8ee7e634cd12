import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { mail } from "../lab/mail.ts";
import { run } from "../lab/process.ts";
import { until } from "../lab/wait.ts";
import { type InternalFilter, startInternal } from "./engine-lab.ts";

const PATIENCE = 60_000;
/** Fewer than any process of ours has open. */
const NO_MORE = 3;

let folder: LabFolder;
let internal: InternalFilter | null = null;

beforeAll(() => {
  folder = plainFolder();
});

afterAll(async () => {
  await internal?.filter.stop();
  folder.remove();
});

function rolesOf({ filter }: InternalFilter, role: string): number[] {
  return filter.children().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(`@${role}`);
    } catch {
      return false;
    }
  });
}

async function limitFiles(pid: number, limit: string): Promise<void> {
  const argv = ["prlimit", "--pid", String(pid), `--nofile=${limit}`];
  expect((await run({ argv, deadline: 5000 })).exitCode).toBe(0);
}

test(
  "a child whose link was lost because the keeper had no descriptor left gets another as soon as there is one",
  async () => {
    internal = await startInternal(folder);
    const { filter } = internal;
    const [keeper = 0] = rolesOf(internal, "keeper");
    const [victim = 0, ...others] = rolesOf(internal, "child");
    const limits = /^Max open files +(\d+)/m.exec(readFileSync(`/proc/${keeper}/limits`, "latin1"));
    await limitFiles(keeper, `${NO_MORE}:`);
    process.kill(victim, "SIGKILL");
    await filter.logLine(/a child's link did not arrive/);
    await limitFiles(keeper, `${limits?.[1] ?? ""}:`);
    const successor = await until(
      () =>
        rolesOf(internal as InternalFilter, "child").find((pid) => pid !== victim && !others.includes(pid)),
      { what: "another child" },
    );
    // Each on a connexion of its own: some of them come to the child whose link was lost.
    for (let count = 0; count < 40; count++) expect(await internal.send(mail())).toBe("accept Clean");
    expect(rolesOf(internal, "child")).toContain(successor);
    expect(filter.log()).not.toMatch(new RegExp(`child ${successor} `));
    expect(await filter.stop()).toBe(0);
  },
  PATIENCE,
);
