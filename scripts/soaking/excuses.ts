import { type Excuse, NO_EXCUSE } from "./judge.ts";

/** What explains temporary failures, and for how long. */
export interface Excuses {
  /** From now on a fault explains something. @returns to be called when the fault is over */
  begin(excuse: Excuse, aftermath: number): () => void;
  /** What is explained for a message that lived from one time to another, on the clock of `performance.now()`. */
  between(from: number, to: number): Excuse;
}

interface Span {
  readonly excuse: Excuse;
  readonly from: number;
  to: number;
}

/** What ended so long ago is forgotten: no message lives for longer. Milliseconds. */
const MEMORY = 330_000;

export function excuses(now: () => number = performance.now.bind(performance)): Excuses {
  let spans: Span[] = [];
  return {
    begin: (excuse, aftermath) => {
      const begun = now();
      spans = spans.filter(({ to }) => to > begun - MEMORY);
      const span: Span = { excuse, from: begun, to: Number.POSITIVE_INFINITY };
      spans.push(span);
      return () => {
        span.to = now() + aftermath;
      };
    },
    between: (from, to) =>
      spans
        .filter((span) => span.from <= to && span.to >= from)
        .reduce(
          (sum, { excuse }) => ({
            lost: sum.lost || excuse.lost,
            deferred: sum.deferred || excuse.deferred,
            deferredInfected: sum.deferredInfected || excuse.deferredInfected,
          }),
          NO_EXCUSE,
        ),
  };
}
