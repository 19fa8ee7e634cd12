/**
 * The load generator, a process of its own: an order a line on standard input, its outcome a line on standard output.
 * It stays from one run to the next, so that its code is compiled and its mails are made once.
 */
import { createInterface } from "node:readline";
import { raiseFileLimit } from "../../src/os/libc.ts";
import { ClamdLine } from "./clamd-line.ts";
import { type BenchMail, corpus, type Size } from "./corpus.ts";
import type { RunFigures } from "./figures.ts";
import { Waiting } from "./link.ts";
import { MtaLine } from "./mta-line.ts";
import type { Held, HoldOrder, LoadOrder, Order, ServeOrder } from "./orders.ts";
import { Poller } from "./socket-calls.ts";
import { Work, type WorkPlan } from "./work.ts";

/** Milliseconds for the messages that are under way when the time of a run is over. */
const GRACE = 60_000;
/** Milliseconds for connexions that are to be held. */
const HOLD_PATIENCE = 60_000;
/** Connexions that are opened at once: more than a listener's queue holds are only refused and tried again. */
const AT_ONCE = 100;
const poller = new Poller();
const waiting = new Waiting();
const decks = new Map<Size, readonly BenchMail[]>();
let numbers = 0;
let held: MtaLine[] = [];

function deckOf(size: Size): readonly BenchMail[] {
  const deck = decks.get(size) ?? corpus(size);
  decks.set(size, deck);
  return deck;
}

function drive(done: () => boolean, patience: number): void {
  const end = performance.now() + patience;
  while (!done() && performance.now() < end) {
    poller.wait(waiting.pause);
    waiting.retry();
  }
}

function workOf(plan: Omit<WorkPlan, "first">): Work {
  const work = new Work({ ...plan, first: numbers });
  numbers += plan.messages;
  return work;
}

function load(order: LoadOrder): RunFigures {
  const { kind, address, messages, seconds, scanned } = order;
  const mails = deckOf(order.size);
  const line = (): MtaLine | ClamdLine =>
    kind === "milter"
      ? new MtaLine(poller, waiting, { ...order, marked: scanned })
      : new ClamdLine(poller, waiting, address, kind === "pass");
  const lines = Array.from({ length: Math.min(order.connexions, messages) }, line);
  const work = workOf({ mails, messages, seconds, verdict: scanned ? null : "accept" });
  for (const each of lines) each.start(work);
  // A line that is through with a message takes the next one at once, unless it has lost its connexion.
  drive(() => work.over, seconds * 1000 + GRACE);
  const figures = work.figures();
  for (const each of lines) each.close();
  return figures;
}

function hold(order: HoldOrder): Held {
  const start = performance.now();
  const plan = { address: order.address, client: order.client, perConnexion: Number.POSITIVE_INFINITY };
  for (let count = 0; count < order.count; count += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, order.count - count) }, () => {
      const line = new MtaLine(poller, waiting, { ...plan, marked: order.scanned });
      line.greet();
      return line;
    });
    held.push(...some);
    drive(() => some.every((line) => line.greeted || line.failed), HOLD_PATIENCE / 10);
    if (performance.now() - start > HOLD_PATIENCE || some.every((line) => !line.greeted)) break;
  }
  return { greeted: held.filter((line) => line.greeted).length, seconds: (performance.now() - start) / 1000 };
}

/** One mail on each held connexion, a few connexions at a time. */
function serve(order: ServeOrder): RunFigures {
  const lines = held.filter((line) => line.greeted);
  const mails = deckOf(order.size);
  const plan = { mails, seconds: GRACE / 1000, verdict: order.scanned ? null : ("accept" as const) };
  const all = workOf({ ...plan, messages: lines.length });
  for (let at = 0; at < lines.length; at += AT_ONCE) {
    const some = lines.slice(at, at + AT_ONCE);
    for (const line of some) line.startOne(all);
    drive(() => all.open === 0, GRACE);
  }
  return all.figures();
}

function release(): Record<string, never> {
  for (const line of held) line.close();
  held = [];
  return {};
}

function obey(order: Order): unknown {
  switch (order.do) {
    case "load":
      return load(order);
    case "hold":
      return hold(order);
    case "serve":
      return serve(order);
    case "release":
      return release();
  }
}

const limit = raiseFileLimit();
process.stdout.write(`${JSON.stringify({ limit })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(obey(JSON.parse(line) as Order))}\n`);
}
