/** What the administrator asks for by signals (decisions 7). */
export interface Signals {
  /** Resolves with the name of the first TERM or INT. */
  readonly stop: Promise<string>;
  /** Whether it has come. */
  readonly stopped: boolean;
  /** Whether it came to a fault of our own, which stops the program as TERM does. */
  readonly faulty: boolean;
  /** Told of such a fault. */
  onFault(tell: (error: unknown) => void): void;
  /** HUP. */
  onReload(work: () => void): void;
  /** USR1. */
  onReopen(work: () => void): void;
  /** USR2: the virus database is to be read anew. */
  onDatabase(work: () => void): void;
}

/** Takes all signals from now on; HUP and USR1 that come before somebody cares are kept. */
export function watchSignals(): Signals {
  const stop = Promise.withResolvers<string>();
  const state = {
    stopped: false,
    faulty: false,
    reload: makeBell(),
    reopen: makeBell(),
    database: makeBell(),
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      state.stopped = true;
      stop.resolve(signal);
    });
  }
  process.on("SIGHUP", state.reload.ring);
  process.on("SIGUSR1", state.reopen.ring);
  // With --external the database is clamd's; the signal must not end the program all the same.
  process.on("SIGUSR2", state.database.ring);
  return {
    stop: stop.promise,
    get stopped() {
      return state.stopped;
    },
    get faulty() {
      return state.faulty;
    },
    onFault: (tell) => {
      const fault = (error: unknown): void => {
        tell(error);
        state.stopped = true;
        state.faulty = true;
        stop.resolve("a fault");
      };
      process.on("uncaughtException", fault);
      process.on("unhandledRejection", fault);
    },
    onReload: state.reload.answer,
    onReopen: state.reopen.answer,
    onDatabase: state.database.answer,
  };
}

function makeBell(): { ring: () => void; answer: (work: () => void) => void } {
  let work: (() => void) | null = null;
  let rung = false;
  return {
    ring: () => {
      if (work === null) rung = true;
      else work();
    },
    answer: (given) => {
      work = given;
      if (rung) given();
      rung = false;
    },
  };
}
