import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bringParts } from "../debian/parts.ts";
import { excuses } from "./excuses.ts";
import { type Fault, possibleFaults } from "./fault.ts";
import { inflict, ownFaults } from "./inflict.ts";
import { keptMail } from "./kept-mail.ts";
import { type Mode, type SoakLab, STREAM_LIMIT, startLab } from "./lab.ts";
import { readOrder, type SoakOrder } from "./order.ts";
import { chanceFrom } from "./random.ts";
import { FAULTS } from "./soak-mode.ts";
import { type SoakTraffic, startTraffic } from "./traffic.ts";

const USAGE = 64;
const INTERRUPTED = 130;
/** All must be over by then. Milliseconds. */
const BOUND = 295_000;
const MIX = { infected: 0.3, largest: 1_500_000, limit: STREAM_LIMIT };
const CONNEXIONS = 4;
/** The log tells of a fault a little later than the MTA sees it. Milliseconds. */
const LOG_PATIENCE = 10_000;
const CALM = 700;

let stopped = false;

async function main(words: readonly string[]): Promise<number> {
  let order: SoakOrder;
  try {
    order = readOrder(words, "chaos", 1);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return USAGE;
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      stopped = true;
    });
  await bringParts(["clamav"]);
  const bound = setTimeout(() => {
    console.error("NOT ok: the run does not end by itself");
    process.exit(1);
  }, BOUND);
  const results = await Promise.all(
    order.modes.map((mode) =>
      chaosMode(mode, order).catch((error: unknown) => {
        console.log(`NOT ok ${mode}: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
        return 1;
      }),
    ),
  );
  clearTimeout(bound);
  const failures = results.reduce((sum, count) => sum + count, 0);
  if (failures > 0) console.log(`chaos: NOT ok, ${failures} times`);
  else console.log(stopped ? "chaos: interrupted" : "chaos: ok");
  if (stopped) return INTERRUPTED;
  return failures === 0 ? 0 : 1;
}

/** @returns how many faults were not borne */
async function chaosMode(mode: Mode, order: SoakOrder): Promise<number> {
  const lab = await startLab(mode);
  let failures = 0;
  let ended: readonly string[];
  try {
    const kept = keptMail(lab);
    const excused = excuses();
    const traffic = startTraffic({
      socket: lab.socket,
      connexions: CONNEXIONS,
      seed: order.seed,
      prefix: mode === "external" ? "E" : "I",
      mix: MIX,
      pause: 250,
      excuses: excused,
      kept,
    });
    await Bun.sleep(2_000);
    const world = { lab, kept, chance: chanceFrom(order.seed), oldest: () => traffic.oldest };
    for (const fault of possibleFaults(FAULTS, lab)) {
      if (stopped) break;
      const trial = watchTrial(fault, lab, traffic);
      const trouble = await inflict(fault, world, excused);
      await Bun.sleep(fault.aftermath + CALM);
      await trial.settled();
      const { line, ok } = await trial.outcome(trouble);
      console.log(`${ok ? "ok    " : "NOT ok"} ${mode} ${line}`);
      if (!ok) failures++;
    }
    await traffic.stop();
    if (order.logs !== null) {
      mkdirSync(order.logs, { recursive: true });
      writeFileSync(join(order.logs, `chaos-${mode}.log`), lab.log());
    }
    const log = ownFaults(lab.log());
    const restart = await lab.startAgain();
    await Bun.sleep(2_000);
    ended = [...log, ...restart, ...kept.finish()];
  } finally {
    failures += tellAll(mode, await lab.stop());
  }
  return failures + tellAll(mode, ended);
}

function tellAll(mode: Mode, wrong: readonly string[]): number {
  for (const each of wrong) console.log(`NOT ok ${mode} ${each}`);
  return wrong.length;
}

/** What is seen from now on until the outcome is asked for. */
function watchTrial(fault: Fault, lab: SoakLab, { tally, since }: SoakTraffic) {
  const before = { ...tally, told: tally.wrong.length };
  const logged = lab.log().length;
  const begun = performance.now();
  const findLine = async (): Promise<string | null> => {
    const end = performance.now() + LOG_PATIENCE;
    for (;;) {
      const lines = lab.log().slice(logged).split("\n");
      const found = lines.find((line) => fault.named?.test(line) === true);
      if (found !== undefined) return found.trim();
      if (performance.now() > end || stopped) return null;
      await Bun.sleep(50);
    }
  };
  const outcome = async (trouble: string | null): Promise<{ line: string; ok: boolean }> => {
    const { right, gap } = since(begun);
    const again = right === null ? null : right - begun;
    const wrong = tally.wrongCount - before.wrongCount;
    const named = fault.named === null ? "" : await findLine();
    const late = again === null || Math.max(again, gap) > fault.within;
    const parts = [
      `${tally.messages - before.messages} messages`,
      `${tally.deferred - before.deferred} deferred, ${tally.lost - before.lost} lost, ${wrong} wrong`,
      `right after ${again === null ? "never" : `${Math.round(again)} ms`}, longest gap ${Math.round(gap)} ms${late ? ` (TOO LONG, ${fault.within} are allowed)` : ""}`,
      ...(named === ""
        ? []
        : [named === null ? `NO LINE in the log like ${fault.named}` : `log: ${shown(named)}`]),
      ...(trouble === null ? [] : [trouble]),
      ...tally.wrong.slice(before.told).slice(0, 3),
    ];
    return {
      line: `${fault.name}: ${parts.join("; ")}`,
      ok: trouble === null && wrong === 0 && named !== null && !late,
    };
  };
  /** The next fault is not to meet what this one has left: it has its own time until a right verdict comes. */
  const settled = async (): Promise<void> => {
    const end = begun + fault.within;
    while (since(begun).right === null && performance.now() < end && !stopped) await Bun.sleep(50);
  };
  return { outcome, settled };
}

function shown(line: string): string {
  return line.length > 160 ? `${line.slice(0, 160)}...` : line;
}

process.exit(await main(process.argv.slice(2)));
