import type { Clamd } from "../../test/lab/clamd.ts";
import { until } from "../../test/lab/wait.ts";
import { breakDatabase, mendDatabase, putSignature } from "./database.ts";
import { BOTH, DEFERRED, type Fault, type FaultWorld } from "./fault.ts";
import { NO_EXCUSE } from "./judge.ts";
import { clamdAnswers } from "./lab.ts";
import { plainSample } from "./samples.ts";
import { greetedConnexion, handOver } from "./sender.ts";

const EXTERNAL = ["external"] as const;
/** One of three is away: nothing is to be seen of it. */
const UNSEEN = { modes: EXTERNAL, excuse: NO_EXCUSE, aftermath: 0, within: 3_000 } as const;
const DATABASE_PATIENCE = 30_000;
let lastSignature = 0;

/** Ends a clamd, and starts it again after a while. */
async function endFor(clamd: Clamd, milliseconds: number): Promise<void> {
  clamd.kill("SIGKILL");
  await until(() => !clamd.running(), { what: "clamd to be gone" });
  await Bun.sleep(milliseconds);
  await clamd.restart();
}

async function stopFor(clamd: Clamd, milliseconds: number): Promise<void> {
  clamd.kill("SIGSTOP");
  try {
    await Bun.sleep(milliseconds);
  } finally {
    clamd.kill("SIGCONT");
  }
  await clamdAnswers(clamd);
}

function reloads(clamd: Clamd): number {
  return clamd.log().match(/Database correctly reloaded|reload failed|Database.*(error|fail)/gi)?.length ?? 0;
}

/** Has a clamd load its database, and waits until it has. */
async function reload(clamd: Clamd): Promise<void> {
  const before = reloads(clamd);
  clamd.kill("SIGUSR2");
  await until(() => reloads(clamd) > before || !clamd.running(), {
    what: "clamd to load its database",
    deadline: DATABASE_PATIENCE,
    detail: () => clamd.log().slice(-2000),
  });
  if (!clamd.running()) await clamd.restart();
  await clamdAnswers(clamd);
}

/** Puts a signature into every database, and waits until messages with its text are refused. */
async function newDatabase({ lab, chance, kept }: FaultWorld): Promise<void> {
  const name = `Soaking.New${++lastSignature}`;
  const text = `soaking-new-${lastSignature}-kQ7vPz`;
  for (const folder of lab.databases) putSignature(folder, name, text);
  if (lab.mode === "internal") lab.filter.signal("SIGUSR2");
  else for (const clamd of lab.clamds) await reload(clamd);
  await until(
    async () => {
      const mta = await greetedConnexion(lab.socket, chance);
      const sample = plainSample(`New${lastSignature}`, text, { kind: "infected", name });
      kept.unanswered(sample);
      const seen = await handOver(mta, sample.mail, "whole", chance);
      mta.quit();
      return seen?.kind === "answered" && seen.outcome.verdict.kind === "replyCode";
    },
    { what: "the new signature to be found", deadline: DATABASE_PATIENCE },
  );
}

async function brokenDatabase({ lab }: FaultWorld): Promise<void> {
  for (const folder of lab.databases) breakDatabase(folder);
  try {
    if (lab.mode === "external")
      for (const clamd of lab.clamds.slice(0, 2)) await reload(clamd).catch(() => {});
    else {
      lab.filter.signal("SIGUSR2");
      await lab.filter.logLine(/the virus database stays as it was: .*soaking-broken/);
    }
  } finally {
    for (const folder of lab.databases) mendDatabase(folder);
  }
  for (const clamd of lab.clamds)
    if (clamd.running()) await reload(clamd);
    else await clamd.restart();
  if (lab.mode === "internal") lab.filter.signal("SIGUSR2");
}

/** What happens to the scanners. */
export const SCANNER_FAULTS: readonly Fault[] = [
  {
    ...UNSEEN,
    name: "clamd killed",
    lasts: 10,
    named: /clamd \S+ cannot be reached/,
    run: ({ lab, chance }) => endFor(chance.pick(lab.clamds), 7_000),
  },
  {
    ...UNSEEN,
    name: "clamd hangs",
    lasts: 11,
    named: /clamd \S+ takes connexions, but does not answer/,
    run: ({ lab, chance }) => stopFor(chance.pick(lab.clamds), 9_000),
  },
  {
    ...UNSEEN,
    name: "clamd restarted",
    lasts: 4,
    named: null,
    run: ({ lab, chance }) => chance.pick(lab.clamds).restart(),
  },
  {
    ...UNSEEN,
    name: "clamd loads its database beside the old one",
    lasts: 5,
    named: null,
    run: ({ lab }) => reload(pickAt(lab.clamds, 0)),
  },
  {
    ...UNSEEN,
    name: "clamd is silent while it loads its database",
    lasts: 8,
    named: null,
    run: ({ lab }) => reload(pickAt(lab.clamds, 2)),
  },
  {
    ...UNSEEN,
    name: "every clamd killed",
    lasts: 7,
    excuse: DEFERRED,
    aftermath: 6_000,
    named: /no clamd server answers/,
    within: 15_000,
    run: async ({ lab }) => {
      await Promise.all(lab.clamds.map((clamd) => endFor(clamd, 3_000)));
    },
  },
  {
    ...UNSEEN,
    name: "every clamd hangs",
    lasts: 13,
    excuse: DEFERRED,
    aftermath: 6_000,
    named: /clamd \S+ takes connexions, but does not answer/,
    within: 25_000,
    run: async ({ lab }) => {
      await Promise.all(lab.clamds.map((clamd) => stopFor(clamd, 9_000)));
    },
  },
  {
    ...UNSEEN,
    name: "new database",
    lasts: 15,
    modes: BOTH,
    named: null,
    run: newDatabase,
  },
  {
    ...UNSEEN,
    name: "broken database",
    lasts: 15,
    modes: BOTH,
    named: null,
    run: brokenDatabase,
  },
];

function pickAt(clamds: readonly Clamd[], at: number): Clamd {
  const clamd = clamds[at];
  if (clamd === undefined) throw new Error(`there is no clamd ${at}`);
  return clamd;
}
