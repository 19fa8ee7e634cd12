import type { BenchMail } from "./corpus.ts";
import { percentile, type RunFigures } from "./figures.ts";

/** What became of a message, as far as it is told apart. */
export type Verdict = "accept" | "reject" | "tempfail" | "discard" | "lost";

export interface WorkPlan {
  readonly mails: readonly BenchMail[];
  readonly messages: number;
  /** Seconds after which no new message is begun. */
  readonly seconds: number;
  /** What every mail must get, whatever is in it; null: as its content deserves. */
  readonly verdict: Verdict | null;
  /** Number of the first message: no number is ever used twice. */
  readonly first: number;
}

/** A message that somebody has taken. */
export interface Job {
  readonly mail: BenchMail;
  readonly number: number;
  /** performance.now() when it was taken. */
  readonly begun: number;
}

/** The messages of a run: gives them out and keeps what came of them. */
export class Work {
  readonly #plan: WorkPlan;
  readonly #start = performance.now();
  readonly #cpu = process.cpuUsage();
  readonly #times: number[] = [];
  #issued = 0;
  #finished = 0;
  #end = this.#start;
  #wrong = 0;
  #firstWrong: string | null = null;

  constructor(plan: WorkPlan) {
    this.#plan = plan;
  }

  /** The next message, or null when there is none any more. */
  take(): Job | null {
    const { mails, messages, seconds, first } = this.#plan;
    const begun = performance.now();
    if (this.#issued >= messages || begun - this.#start > seconds * 1000) return null;
    const mail = mails[this.#issued % mails.length];
    if (mail === undefined) return null;
    return { mail, number: first + this.#issued++, begun };
  }

  /**
   * A message is over.
   * @param objection what was wrong beside the verdict
   */
  settle(job: Job, verdict: Verdict, detail: string, objection: string | null = null): void {
    this.#end = performance.now();
    this.#finished++;
    const expected = this.#plan.verdict ?? (job.mail.infected ? "reject" : "accept");
    if (verdict !== expected || objection !== null) {
      this.#wrong++;
      this.#firstWrong ??= objection ?? `${job.mail.name}: ${verdict} (${detail}) where ${expected} was due`;
    }
    if (verdict !== "lost") this.#times.push(this.#end - job.begun);
  }

  /** Whether nothing is open and nothing is to be begun any more. */
  get over(): boolean {
    if (this.open > 0) return false;
    return this.#issued >= this.#plan.messages || performance.now() - this.#start > this.#plan.seconds * 1000;
  }

  /** Messages that were taken and are not over. */
  get open(): number {
    return this.#issued - this.#finished;
  }

  figures(): RunFigures {
    const sorted = Float64Array.from(this.#times).sort();
    const used = process.cpuUsage(this.#cpu);
    return {
      messages: this.#times.length,
      seconds: (this.#end - this.#start) / 1000,
      p50: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      longest: percentile(sorted, 1),
      generatorSeconds: (used.user + used.system) / 1e6,
      wrong: this.#wrong + this.open,
      firstWrong: this.#firstWrong ?? (this.open > 0 ? `${this.open} without an answer` : null),
    };
  }
}
