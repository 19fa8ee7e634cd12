import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MtaConnexion, type MtaMail, type MtaOffer } from "../../scripts/load/mta-connexion.ts";
import { Action, ALL_ACTIONS } from "../../src/milter/codes.ts";
import type { Modification } from "../../src/milter/replies.ts";
import { type Answer, startFakeClamd } from "../fakes/clamd.ts";
import { fakeSendmail } from "../lab/fake-sendmail.ts";
import { startFilter } from "../lab/filter.ts";
import { plainFolder } from "../lab/folder.ts";
import { until } from "../lab/wait.ts";

/**
 * Every mode with every verdict, once with all actions granted and once without one that the mode needs, as an
 * administrator would see it. `UPDATE_GOLDEN=1` writes the transcript anew: read it before it is committed.
 */
const GOLDEN = join(import.meta.dir, "golden/infected-modes.txt");

const VERDICTS: Readonly<Record<string, Answer>> = {
  clean: { say: "stream: OK" },
  infected: { say: "stream: Eicar-Test FOUND" },
  phish: { say: "stream: Heuristics.Phishing.Email.SpoofedDomain FOUND" },
  // clamd ends the session with it.
  oversize: { raw: "%id: INSTREAM size limit exceeded. ERROR\0", close: true },
  error: { say: "stream: Can't allocate memory ERROR" },
};

/** Modes that are run at the same time: most of what they do is waiting. */
const AT_ONCE = 4;

/** Options, and an action that they need. */
const MODES: readonly (readonly [options: string, without: number])[] = [
  ["", Action.addHeaders],
  ["-q", Action.changeHeaders],
  ["-N", Action.addHeaders],
  ["-P -p virus@lab.example -H", Action.addHeaders],
  ["-b --from=", Action.addHeaders],
  ["-A", Action.changeHeaders],
  ["-A -N -n", Action.addHeaders],
  ["-Q quarantine@lab.example", Action.addRecipient],
  ["-Q quarantine@lab.example -N", Action.deleteRecipient],
  ["-U DIR", Action.addHeaders],
  ["-U DIR -N", Action.addHeaders],
  ["-Q quarantine@lab.example -U DIR -d", Action.addRecipient],
  ["-r phish@report.example -q", Action.addHeaders],
  ["-R false@report.example -P", Action.addHeaders],
  ["-S", Action.changeBody],
];

const MAIL: MtaMail = {
  queueId: "4AMcase",
  sender: "<alice@example.net>",
  recipients: ["<bob@lab.example>", "<carol@lab.example>"],
  headers: [
    ["From", "Alice <alice@example.net>"],
    ["Subject", "an offer"],
    ["X-Virus-Status", "Clean"],
  ],
};

const folder = plainFolder();
const transcripts: string[] = [];

beforeAll(async () => {
  const left = [...MODES.entries()];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [at, [options, without]] = next;
      const home = join(folder.path, `mode${at}`);
      mkdirSync(home);
      transcripts[at] = await transcribe(options, without, home);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (process.env.UPDATE_GOLDEN !== undefined) writeFileSync(GOLDEN, transcripts.join(""));
}, 60_000);

afterAll(() => folder.remove());

function changeText(change: Modification): string {
  switch (change.kind) {
    case "addHeader":
      return `+ ${change.name}:${change.value}`;
    case "changeHeader":
      return change.value === "" ? `- ${change.name} ${change.index}` : `= ${change.name}:${change.value}`;
    case "addRecipient":
      return `+ recipient ${change.recipient}`;
    case "deleteRecipient":
      return `- recipient ${change.recipient}`;
    case "replaceBody":
      return `body ${JSON.stringify(Buffer.from(change.bytes).toString())}`;
    default:
      return change.kind;
  }
}

async function transcribe(options: string, without: number, home: string): Promise<string> {
  const sendmail = fakeSendmail(home);
  const clamdSocket = join(home, "clamd.sock");
  const conf = join(home, "clamd.conf");
  let says: Answer = { silence: true };
  const clamd = startFakeClamd(clamdSocket, () => says);
  writeFileSync(conf, `Foreground yes\nLocalSocket ${clamdSocket}\nAlertExceedsMax yes\n`);
  const quarantine = join(home, "quarantine");
  mkdirSync(quarantine, { mode: 0o700 });
  const socket = join(home, "milter.sock");
  const spool = join(home, "spool");
  const words = options
    .replace("DIR", quarantine)
    .split(" ")
    .filter((word) => word !== "");
  const filter = await startFilter({
    conf,
    sockets: [socket],
    options: ["--canary=0", `--sendmail-bin=${sendmail.path}`, `--spool-dir=${spool}`, ...words],
  });
  const lines: string[] = [];
  let told = 0;
  try {
    // No two messages are alike: one that no scanner gets through with is remembered.
    for (const [granted, offer] of [
      ["all granted", {}],
      [`not granted: ${actionName(without)}`, { actions: ALL_ACTIONS & ~without }],
    ] satisfies [string, MtaOffer][]) {
      for (const [verdict, say] of Object.entries(VERDICTS)) {
        says = say;
        const mta = await MtaConnexion.open({ unix: socket });
        await mta.negotiate(offer);
        await mta.greet();
        const headers: [string, string][] = [["X-Case", `${verdict} ${granted}`]];
        // clamd's limit is learned from the size of what it refuses.
        const body = Buffer.from(
          `Hello,\r\nthis is a test.\r\n${verdict === "oversize" ? "x".repeat(50_000) : ""}`,
        );
        const outcome = await mta.mail({ ...MAIL, headers: [...(MAIL.headers ?? []), ...headers], body });
        mta.quit();
        const answer = outcome.verdict.kind === "replyCode" ? outcome.verdict.text : outcome.verdict.kind;
        lines.push(`== ${options || "(no option)"} | ${verdict} | ${granted}`);
        lines.push(...outcome.modifications.map(changeText), `> ${answer}`);
        await until(() => waiting(spool) === 0, { what: "an empty outbox", detail: filter.log });
        for (const mail of sendmail.mails().slice(told)) {
          const subject = mail.header.find((line) => line.startsWith("Subject:"));
          lines.push(`mail to ${mail.args.slice(4).join(" ")}: ${subject}`);
          told++;
        }
        lines.push(...kept(quarantine));
        lines.push("");
      }
    }
  } finally {
    await filter.stop();
    clamd.stop();
  }
  return harmonised(`${lines.join("\n")}\n`);
}

function waiting(spool: string): number {
  if (!existsSync(spool)) return 0;
  return readdirSync(spool).flatMap((name) => {
    const outbox = join(spool, name, "outbox");
    return existsSync(outbox) ? readdirSync(outbox) : [];
  }).length;
}

/** The names in quarantine, which is emptied. */
function kept(quarantine: string): string[] {
  return readdirSync(quarantine).flatMap((day) => {
    const names = readdirSync(join(quarantine, day)).toSorted();
    rmSync(join(quarantine, day), { recursive: true });
    return names.map((name) => `file YYMMDD/${name}`);
  });
}

function actionName(bit: number): string {
  return Object.entries(Action).find(([, value]) => value === bit)?.[0] ?? "";
}

function harmonised(text: string): string {
  return text.replaceAll(/(clamav-milter version \S+ on) \S+/g, "$1 HOST");
}

for (const [at, [options]] of MODES.entries()) {
  test(`${options || "no option"}: as in the transcript`, () => {
    const golden = readFileSync(GOLDEN, "utf8");
    for (const block of (transcripts[at] ?? "").split("\n\n").filter((each) => each !== "")) {
      expect(golden).toContain(`${block}\n\n`);
    }
    expect(transcripts[at]?.match(/^== /gm)?.length).toBe(10);
  });
}
