import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { NAMES } from "../lab/database.ts";
import { eicar } from "../lab/eicar.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { runMiltertest } from "../lab/miltertest.ts";

/** What MTAs of each protocol version offer: sendmail 8.11, 8.13, 8.14's beginnings, and 8.17. */
const OFFERS = [
  { version: 2, actions: 0x3f, steps: 0x7f },
  { version: 3, actions: 0x3f, steps: 0x17f },
  { version: 4, actions: 0x3f, steps: 0x3ff },
  { version: 6, actions: 0x1ff, steps: 0x1fffff },
  { version: 6, actions: 0x11, steps: 0 },
] as const;

const folder = plainFolder();
const socket = `unix:${join(folder.path, "milter.sock")}`;
let clamd: Clamd;
let filter: Filter;

beforeAll(async () => {
  clamd = await startClamd({ folder: folder.path });
  filter = await startFilter({ conf: clamd.confPath, sockets: [socket], options: ["-q", "-x", "4"] });
});

afterAll(async () => {
  await filter.stop();
  await clamd.stop();
  folder.remove();
});

async function passes(script: string, variables: Record<string, string> = {}): Promise<void> {
  const ended = await runMiltertest({
    script: join(import.meta.dir, "miltertest", script),
    variables: { socket, virus: eicar(), name: NAMES.eicar, ...variables },
  });
  expect(ended.output).toBe("");
  expect(ended.exitCode).toBe(0);
}

for (const { version, actions, steps } of OFFERS) {
  const masks = `0x${actions.toString(16)}, 0x${steps.toString(16)}`;
  test(`miltertest: every stage, several messages, version ${version} with ${masks}`, async () => {
    await passes("stages.lua", { version: String(version), actions: String(actions), steps: String(steps) });
  });
}

test("miltertest: an abort in every state", () => passes("abort.lua"));

test("miltertest: mail from this machine and from the LAN is let through", () => passes("origin.lua"));
