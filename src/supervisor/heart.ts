import { StopWatch } from "../os/child-state.ts";

/** A heartbeat every so often; a role that leaves them unanswered for longer than the patience hangs. */
const HEARTBEAT = 1000;
const HEARTBEAT_PATIENCE = 5000;
const LATE_ANSWER = 3000;
/**
 * Looks for a stopped process come so often. It is none that is merely slow, however busy the machine is, and need not
 * be waited for.
 */
const LOOK = 200;
/** Whoever looks later than that was stopped itself, or has no time: it looks once more. */
const LATE_LOOK = 1000;

/** What shows that a role lives. */
export interface Heart {
  /** Whether it has answered of late. */
  readonly beating: boolean;
  /** From now on silence counts: until a role is ready it has longer, and its place watches that. */
  start(): void;
  beat(): void;
  stop(): void;
}

/** Sends heartbeats and complains, once, when they are not answered, or when the process is stopped. */
export function startHeart(pid: number, ping: () => void, onSilence: (what: string) => void): Heart {
  const watch = new StopWatch(pid);
  let answeredAt = performance.now();
  let lookedAt = answeredAt;
  let pingedAt = answeredAt;
  let counts = false;
  const look = (): void => {
    const now = performance.now();
    const wasStopped = watch.stoppedSinceLastLook();
    // When this process was stopped itself, nobody had a chance to answer, and the others may go on a moment later.
    const asleep = now - lookedAt;
    lookedAt = now;
    if (!counts || asleep > 2 * HEARTBEAT) answeredAt = now;
    if (wasStopped && asleep < LATE_LOOK) complain("was stopped by a signal");
    else if (now - answeredAt > HEARTBEAT_PATIENCE)
      complain(`does not answer for ${HEARTBEAT_PATIENCE / 1000} s`);
    else if (now - pingedAt >= HEARTBEAT - LOOK / 2) {
      pingedAt = now;
      ping();
    }
  };
  const timer = setInterval(look, LOOK);
  const complain = (what: string): void => {
    clearInterval(timer);
    onSilence(what);
  };
  return {
    get beating() {
      return performance.now() - answeredAt < LATE_ANSWER;
    },
    start: () => {
      counts = true;
    },
    beat: () => {
      answeredAt = performance.now();
    },
    stop: () => clearInterval(timer),
  };
}
