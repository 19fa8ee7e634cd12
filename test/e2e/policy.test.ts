import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clamd, startClamd } from "../lab/clamd.ts";
import { eicar } from "../lab/eicar.ts";
import { startFilter } from "../lab/filter.ts";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { until } from "../lab/wait.ts";
import {
  type Case,
  CLIENTS,
  expectedOf,
  OPTIONS,
  type OptionKey,
  optionSets,
  pairwiseCases,
  WHITELIST,
} from "./policy-model.ts";
import { type JudgedMail, judge } from "./policy-mta.ts";

let folder: LabFolder;
let clamd: Clamd;
const AT_ONCE = 6;

beforeAll(async () => {
  folder = plainFolder();
  writeFileSync(join(folder.path, "whitelist"), WHITELIST);
  clamd = await startClamd({ folder: folder.path });
});

afterAll(async () => {
  await clamd.stop();
  folder.remove();
});

/** A number for each message, so that what one does is no other's fault. */
let hosts = 0;

function mailOf(one: Case): JudgedMail {
  hosts++;
  const { family } = CLIENTS[one.client];
  const number =
    family === "inet" || one.client.includes("198.19") ? `${hosts >> 8}.${hosts & 255}` : hosts.toString(16);
  return {
    family,
    address: one.client.replace("%", number),
    host: one.host,
    helo: one.helo,
    login: one.login,
    sender: one.sender,
    recipients: one.recipients,
    headers: [
      ...one.from.map((value) => ["From", value] as const),
      ...(one.senderField === null ? [] : [["Sender", one.senderField] as const]),
    ],
  };
}

/** Runs a job for each item, some of them at the same time. */
async function inTurns<T>(items: readonly T[], job: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const work = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await job(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

const CASES = pairwiseCases();

describe(`every option and every pair, ${CASES.length} messages each`, () => {
  for (const set of optionSets()) {
    test(`options: ${set.length === 0 ? "none" : set.join(" and ")}`, async () => {
      const path = join(folder.path, `milter-${set.join("-")}.sock`);
      const options = set.flatMap((key: OptionKey) => [...OPTIONS[key]]);
      const filter = await startFilter({
        conf: clamd.confPath,
        sockets: [`unix:${path}`],
        options: ["-q", ...options.map((word) => (word === "FILE" ? join(folder.path, "whitelist") : word))],
      });
      try {
        if (set.includes("blacklist")) await listTheInfected({ unix: path });
        const wrong: unknown[] = [];
        await inTurns(CASES, async (one) => {
          const found = await judge({ unix: path }, mailOf(one));
          const expected = expectedOf(one, set);
          if (!Bun.deepEquals(found, expected)) wrong.push({ one, found, expected });
        });
        expect(wrong.slice(0, 3)).toEqual([]);
      } finally {
        await filter.stop();
      }
    }, 60_000);
  }
});

/** Has 192.0.2.66 send a virus, and waits until no child takes mail from it any more. */
async function listTheInfected(filter: { unix: string }): Promise<void> {
  const client = { family: "inet", address: "192.0.2.66" } as const;
  const { answer } = await judge(filter, { ...client, body: eicar() });
  expect(answer).toStartWith("554 5.7.1 virus");
  let refusals = 0;
  await until(
    async () => {
      const { stage } = await judge(filter, client);
      refusals = stage === "mail" ? refusals + 1 : 0;
      return refusals > 10;
    },
    { what: "all children to refuse the infected host" },
  );
}
