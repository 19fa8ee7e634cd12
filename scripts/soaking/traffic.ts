import type { MtaConnexion } from "../load/mta-connexion.ts";
import type { Excuses } from "./excuses.ts";
import { type Latencies, latencies } from "./figures.ts";
import { type Judgement, judge, type Seen } from "./judge.ts";
import type { KeptMail } from "./kept-mail.ts";
import { type Chance, chanceFrom } from "./random.ts";
import { type Mix, nextSample, type SoakSample } from "./samples.ts";
import { greetedConnexion, handOver, type Manner, MESSAGE_BOUND, seenOf } from "./sender.ts";

/** What has come of the traffic so far. */
export interface SoakTally {
  messages: number;
  clean: number;
  infected: number;
  oversize: number;
  deferred: number;
  lost: number;
  /** Given up by the MTA on purpose. */
  givenUp: number;
  /** Each in words; {@link MOST_TOLD} of them at most, `wrongCount` counts them all. */
  readonly wrong: string[];
  wrongCount: number;
  readonly latency: Latencies;
  /** Of all messages that were handed over whole. Milliseconds. */
  slowest: number;
}

export interface SoakTraffic {
  readonly tally: SoakTally;
  /**
   * When the first message got its right answer that was begun after this time, and the longest time without any right
   * answer since. Milliseconds, on the clock of `performance.now()`.
   */
  since(begun: number): { readonly right: number | null; readonly gap: number };
  /** When the oldest of the messages under way was begun; infinity when there is none. */
  readonly oldest: number;
  /** Begins no message more; resolves when those on their way have come to their end. */
  stop(): Promise<void>;
}

export interface TrafficOrder {
  readonly socket: string;
  readonly connexions: number;
  readonly seed: number;
  /** Stands in front of every queue id. */
  readonly prefix: string;
  readonly mix: Mix;
  /** The longest pause of a connexion between two messages. Milliseconds. */
  readonly pause: number;
  readonly excuses: Excuses;
  readonly kept: KeptMail;
}

const MOST_TOLD = 50;
/** After a connexion that was not to be had. Milliseconds. */
const RETRY_PAUSE = 50;
const MANNERS: readonly (readonly [Manner, number])[] = [
  ["slow", 0.06],
  ["aborted", 0.04],
  ["halfSent", 0.04],
  ["gone", 0.03],
];

/** Sends messages of all kinds by many connexions, and judges every answer. */
export function startTraffic(order: TrafficOrder): SoakTraffic {
  const tally: SoakTally = {
    messages: 0,
    clean: 0,
    infected: 0,
    oversize: 0,
    deferred: 0,
    lost: 0,
    givenUp: 0,
    wrong: [],
    wrongCount: 0,
    latency: latencies(),
    slowest: 0,
  };
  const state: State = { over: false, rights: [], underWay: new Map() };
  const workers = Array.from({ length: order.connexions }, (_, number) => work(order, number, tally, state));
  return {
    tally,
    since: (begun) => ({
      right: state.rights.find((right) => right.begun >= begun)?.ended ?? null,
      gap: longestGap([begun, ...state.rights.map(({ ended }) => ended).filter((at) => at > begun)]),
    }),
    get oldest() {
      return Math.min(...state.underWay.values());
    },
    stop: async () => {
      state.over = true;
      await Promise.all(workers);
    },
  };
}

function longestGap(times: readonly number[]): number {
  return times.reduce((gap, at, index) => Math.max(gap, at - (times[index - 1] ?? at)), 0);
}

interface State {
  over: boolean;
  rights: { begun: number; ended: number }[];
  /** By the number of the connexion. */
  readonly underWay: Map<number, number>;
}

async function work(order: TrafficOrder, number: number, tally: SoakTally, state: State): Promise<void> {
  const chance = chanceFrom(order.seed * 1000 + number);
  let mta: MtaConnexion | null = null;
  let left = 0;
  let alive = 0;
  for (let count = 0; !state.over; count++) {
    const sample = nextSample(chance, `${order.prefix}${number}x${count}`, order.mix);
    const manner = mannerOf(chance);
    const begun = performance.now();
    state.underWay.set(number, begun);
    let seen: Seen | null;
    if (mta === null) alive = begun;
    try {
      mta ??= await greetedConnexion(order.socket, chance);
      seen = await handOver(mta, sample.mail, manner, chance);
    } catch (error) {
      seen = seenOf(error);
    }
    state.underWay.delete(number);
    note(order, tally, state, { sample, manner, seen, begun, alive });
    alive = performance.now();
    left = mta === null || mta.closed ? 0 : left === 0 ? chance.between(1, 20) : left - 1;
    if (left === 0) {
      mta?.quit();
      mta = null;
    }
    const lost = seen !== null && seen.kind !== "answered";
    await Bun.sleep(lost ? RETRY_PAUSE : chance.between(0, order.pause));
  }
  mta?.quit();
}

function mannerOf(chance: Chance): Manner {
  let rest = chance.next();
  for (const [manner, share] of MANNERS) {
    if (rest < share) return manner;
    rest -= share;
  }
  return "whole";
}

interface Handed {
  readonly sample: SoakSample;
  readonly manner: Manner;
  readonly seen: Seen | null;
  readonly begun: number;
  /** When the connexion was last known to live, or was wanted: what ended it since then may be known only now. */
  readonly alive: number;
}

function note(order: TrafficOrder, tally: SoakTally, state: State, handed: Handed): void {
  const { sample, manner, seen, begun, alive } = handed;
  const ended = performance.now();
  tally.messages++;
  if (seen === null) {
    tally.givenUp++;
    order.kept.unanswered(sample);
    return;
  }
  if (ended - begun > MESSAGE_BOUND) tell(tally, sample, manner, `answered after ${ended - begun} ms`);
  const from = seen.kind === "lost" ? alive : begun;
  const judgement = judge(sample.expected, seen, order.excuses.between(from, ended));
  if (judgement.kind === "right") {
    tally[sample.expected.kind]++;
    if (manner === "whole") {
      tally.latency.add(ended - begun);
      tally.slowest = Math.max(tally.slowest, ended - begun);
    }
    state.rights.push({ begun, ended });
    if (state.rights.length > 2000) state.rights.splice(0, 1000);
  }
  noteTrouble(order, tally, handed, judgement);
}

function noteTrouble(order: TrafficOrder, tally: SoakTally, handed: Handed, judgement: Judgement): void {
  const { sample, manner } = handed;
  switch (judgement.kind) {
    case "right": {
      const wrong = sample.expected.kind === "infected" ? order.kept.refused(sample) : null;
      if (wrong !== null) tell(tally, sample, manner, wrong);
      return;
    }
    case "wrong":
      tell(tally, sample, manner, judgement.why);
      break;
    default:
      tally[judgement.kind]++;
  }
  order.kept.unanswered(sample);
}

function tell(tally: SoakTally, { mail }: SoakSample, manner: Manner, why: string): void {
  tally.wrongCount++;
  const time = new Date().toISOString().slice(11, 23);
  if (tally.wrong.length < MOST_TOLD)
    tally.wrong.push(`${time} ${mail.queueId} (${manner}, ${mail.body.length} bytes): ${why}`);
}
