import { type FilterAddress, MtaConnexion, type MtaMail } from "./mta-connexion.ts";

/** A mail and what the filter must answer: the kind of verdict. */
export interface Sample {
  readonly mail: MtaMail;
  readonly expected: string;
}

/** What came of the traffic. */
export interface Tally {
  /** Messages that got their verdict, and the right one. */
  right: number;
  /** Messages that got another. */
  readonly wrong: string[];
  /** Messages that were lost with their connexion. */
  lost: number;
}

export interface TrafficPlan {
  readonly address: FilterAddress;
  readonly connexions: number;
  /** Messages by each connexion. */
  readonly messages: number;
  readonly samples: readonly Sample[];
  /** Told after each message, with the number of all that are through. */
  readonly onMessage?: (done: number) => void;
}

/**
 * Hands over messages by many connexions at once. A connexion that the filter closes is opened anew, and the
 * message that was on it counts as lost: an MTA would try it again later.
 */
export async function sendTraffic(plan: TrafficPlan): Promise<Tally> {
  const tally: Tally = { right: 0, wrong: [], lost: 0 };
  let done = 0;
  const run = async (number: number): Promise<void> => {
    let mta: MtaConnexion | null = null;
    for (let at = 0; at < plan.messages; at++) {
      const sample = plan.samples[(number * 7 + at) % plan.samples.length];
      if (sample === undefined) return;
      try {
        mta ??= await greeted(plan.address);
        const { verdict } = await mta.mail({ ...sample.mail, queueId: `q${number}.${at}` });
        if (verdict.kind === sample.expected) tally.right++;
        else tally.wrong.push(`${sample.expected} expected, answered ${JSON.stringify(verdict)}`);
      } catch {
        tally.lost++;
        mta?.close();
        mta = null;
      }
      plan.onMessage?.(++done);
    }
    mta?.quit();
  };
  await Promise.all(Array.from({ length: plan.connexions }, (_, number) => run(number)));
  return tally;
}

async function greeted(address: FilterAddress): Promise<MtaConnexion> {
  const mta = await MtaConnexion.open(address);
  await mta.negotiate();
  await mta.greet();
  return mta;
}
